-- A job has ended, and the search parameters that waited for it are complete. $1 its number. Plan: small tables of the
-- coordinator.
WITH ended AS (
    UPDATE reindex_job
    SET ended = clock_timestamp(), updated = clock_timestamp()
    WHERE id = $1
    RETURNING id
)
UPDATE search_parameter
SET complete = true
FROM ended
WHERE search_parameter.job = ended.id
