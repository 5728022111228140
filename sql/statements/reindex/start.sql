-- A job starts. $1 its number, $2 how many resources there are, or null when it took too long to count them. Plan: a small
-- table of the coordinator.
UPDATE reindex_job
SET started = clock_timestamp(), updated = clock_timestamp(), total = $2
WHERE id = $1
