-- How far a job is. $1 its number; the last resource: $2 type, $3 time of its version, $4 compartment, $5 id; $6 resources
-- that are done, $7 of them failed. Plan: a small table of the coordinator.
UPDATE reindex_job
SET place_type = $2, place_time = $3, place_compartment = $4, place_id = $5, done = $6, failed = $7,
    updated = clock_timestamp()
WHERE id = $1
