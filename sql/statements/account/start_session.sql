-- A log-in. $1 id of the session, $2 account, $3 the session's secret, $4 hash of the refresh token, $5 the client in its own
-- words, $6 life in seconds. Plan: small tables of the coordinator.
INSERT INTO session (id, account, secret, refresh, client, created, expires, last_used)
SELECT $1, id, $3, $4, $5, clock_timestamp(), clock_timestamp() + $6::bigint * interval '1 second', clock_timestamp()
FROM account
WHERE id = $2 AND NOT disabled
RETURNING expires
