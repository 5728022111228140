-- The sessions of an account that have not ended, the newest first. $1 the account, $2 at most so many. Plan: a small table of
-- the coordinator, by the index of accounts.
SELECT id, client, client_id, scopes, created, expires, last_used
FROM session
WHERE account = $1 AND ended IS NULL AND expires > clock_timestamp()
ORDER BY created DESC
LIMIT $2
