-- How many servers may not know yet what was noted before $1. One that was not heard of for a minute is taken for dead.
-- Plan: a small table of the coordinator.
WITH dead AS (DELETE FROM server WHERE seen < clock_timestamp() - interval '1 minute')
SELECT count(*) AS servers
FROM server
WHERE synced < $1 AND seen >= clock_timestamp() - interval '1 minute'
