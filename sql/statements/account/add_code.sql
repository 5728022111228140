-- A consent. $1 hash of the code, $2 client, $3 account, $4 redirect address, $5 challenge, $6 scopes, $7 patient or null, $8 nonce
-- or null, $9 life in seconds. No row: the client or the account is gone or disabled. Plan: small tables of the coordinator, by
-- their keys.
INSERT INTO authorization_code (hash, client, account, redirect_uri, challenge, scopes, patient, nonce, created, expires)
SELECT $1, client.id, account.id, $4, $5, $6, $7, $8, clock_timestamp(),
    clock_timestamp() + $9::bigint * interval '1 second'
FROM client
CROSS JOIN account
WHERE client.id = $2 AND account.id = $3 AND NOT client.disabled AND NOT account.disabled
RETURNING expires
