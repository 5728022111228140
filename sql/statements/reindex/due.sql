-- What is to do: the first job that has not ended, and the search parameters that wait for a job. Plan: small tables of
-- the coordinator.
SELECT
    (SELECT min(id) FROM reindex_job WHERE ended IS NULL) AS job,
    (SELECT array_agg(id ORDER BY id) FROM search_parameter WHERE job IS NULL AND NOT complete) AS ids,
    (SELECT array_agg(hash ORDER BY id) FROM search_parameter WHERE job IS NULL AND NOT complete) AS hashes
