-- Resources of a type that were deleted, those first that were deleted first. $1 type, $2 rows. Plan: every shard by its
-- index resource_by_type_and_time, the limit pushed down.
SELECT compartment, type, id, last_updated
FROM resource
WHERE type = $1 AND body IS NULL
ORDER BY last_updated, compartment, id
LIMIT $2
