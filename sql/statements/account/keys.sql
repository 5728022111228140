-- The keys of an account that are not revoked, the newest first. $1 the account. Plan: a small table of the coordinator, by the
-- index of accounts.
SELECT id, name, scopes, created, expires, last_used
FROM api_key
WHERE account = $1 AND revoked IS NULL
ORDER BY created DESC
