-- How many resources have no key. Plan: every shard by its index resource_by_key; asked once for such a job.
SELECT count(*) AS resources
FROM resource
WHERE key IS NULL
