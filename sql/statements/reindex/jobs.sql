-- Jobs, the newest first. $1 the number of one, or null for all, $2 at most so many. Plan: a small table of the coordinator.
SELECT id, scope, types, unindexed, made, started, updated, ended, place_type, place_time, place_compartment, place_id,
    done, failed, total
FROM reindex_job
WHERE $1::bigint IS NULL OR id = $1
ORDER BY id DESC
LIMIT $2
