-- A job for search parameters that wait for one. $1 what it is for, in words, $2 types, $3 ids of the parameters and $4 the
-- hashes of what the types were taken from: one that was noted again meanwhile waits for the next. Plan: small tables of
-- the coordinator.
WITH waiting AS (
    SELECT id
    FROM search_parameter
    JOIN unnest($3::text[], $4::bigint[]) AS known (id, hash) USING (id, hash)
    WHERE job IS NULL AND NOT complete
), job AS (
    INSERT INTO reindex_job (scope, types, unindexed, made)
    SELECT $1, $2, false, clock_timestamp()
    WHERE EXISTS (SELECT FROM waiting)
    RETURNING id
)
UPDATE search_parameter
SET job = job.id
FROM job
WHERE search_parameter.id IN (SELECT id FROM waiting)
