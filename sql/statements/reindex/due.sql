-- What is to do: the first job that has not ended, and the search parameters that wait for a job. Plan: small tables of
-- the coordinator.
SELECT
    (SELECT min(id) FROM reindex_job WHERE ended IS NULL) AS job,
    (SELECT array_agg(id) FROM search_parameter WHERE job IS NULL AND NOT complete) AS parameters
