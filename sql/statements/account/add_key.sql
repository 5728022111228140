-- A key of an account. $1 id, $2 account, $3 name, $4 hash, $5 scopes, $6 when it expires or null, $7 at most so many keys of
-- one account. No row: there are as many. Plan: small tables of the coordinator.
INSERT INTO api_key (id, account, name, hash, scopes, created, expires)
SELECT $1, $2, $3, $4, $5, clock_timestamp(), $6
WHERE (SELECT count(*) FROM api_key WHERE account = $2 AND revoked IS NULL) < $7
RETURNING id, name, scopes, created, expires, last_used
