-- How many resources a job goes through. $1 types. Plan: every shard by its index resource_by_type_and_time; asked once
-- for each job.
SELECT count(*) AS resources
FROM resource
WHERE type = ANY($1)
