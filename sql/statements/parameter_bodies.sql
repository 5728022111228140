-- All resources of a type. $1 type, $2 at most so many. Plan: every shard by its index resource_by_type_and_time; asked of
-- SearchParameter when one has changed.
SELECT id, body
FROM resource
WHERE type = $1 AND body IS NOT NULL
LIMIT $2
