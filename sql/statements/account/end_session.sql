-- Ends a session. $1 its id, $2 the account that it must belong to. Plan: a small table of the coordinator.
UPDATE session
SET ended = clock_timestamp()
WHERE id = $1 AND account = $2 AND ended IS NULL
RETURNING id
