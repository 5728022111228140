-- A key with its account: what it is worth now. $1 id of the key. `stale`: its use was not noted for a minute. Plan: small
-- tables of the coordinator, by their keys.
SELECT api_key.hash, api_key.scopes,
    api_key.revoked IS NULL AND coalesce(api_key.expires > clock_timestamp(), true) AND NOT account.disabled AS valid,
    coalesce(api_key.last_used < clock_timestamp() - interval '1 minute', true) AS stale,
    account.id, account.username, account.role, account.patient, account.practitioner, account.email
FROM api_key
JOIN account ON account.id = api_key.account
WHERE api_key.id = $1
