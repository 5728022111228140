-- A job for the search parameters that wait for one. $1 what it is for, in words, $2 types, $3 ids of the parameters.
-- Plan: small tables of the coordinator.
WITH waiting AS (
    SELECT id
    FROM search_parameter
    WHERE id = ANY($3) AND job IS NULL AND NOT complete
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
