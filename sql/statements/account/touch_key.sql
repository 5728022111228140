-- A key was used. $1 its id. Plan: a small table of the coordinator.
UPDATE api_key
SET last_used = clock_timestamp()
WHERE id = $1
