-- A server is alive. $1 its number, $2 the time whose search parameters it knows, or null when that is no later than
-- before. No row: it was taken for dead. Plan: a small table of the coordinator.
UPDATE server
SET synced = greatest(synced, $2), seen = clock_timestamp()
WHERE id = $1
RETURNING id
