-- The database's time, and how far the index is for each custom search parameter. Plan: small tables of the coordinator.
SELECT now.now, parameter.id, parameter.hash, parameter.made, parameter.complete, job.done, job.total
FROM (SELECT clock_timestamp() AS now) AS now
LEFT JOIN search_parameter AS parameter ON true
LEFT JOIN reindex_job AS job ON job.id = parameter.job
