-- A backend service comes in for the account that it acts for. $1 id of the session, $2 client, $3 the session's secret, $4 hash of
-- a refresh token that nobody gets, $5 scopes, $6 life in seconds. No row: the account or the client is gone or disabled. Plan:
-- small tables of the coordinator, by their keys.
INSERT INTO session (id, account, secret, refresh, client, created, expires, last_used, client_id, scopes)
SELECT $1, account.id, $3, $4, client.name, clock_timestamp(), clock_timestamp() + $6::bigint * interval '1 second',
    clock_timestamp(), client.id, $5
FROM client
JOIN account ON account.id = client.account
WHERE client.id = $2 AND NOT client.disabled AND NOT account.disabled
RETURNING account, expires
