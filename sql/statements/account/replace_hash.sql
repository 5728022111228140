-- The same password under a better hash. $1 id of the account, $2 the new hash, $3 the one before. Plan: a small table of the
-- coordinator.
UPDATE account
SET password = $2
WHERE id = $1 AND password = $3
