-- Resources from before the index, which have no key. $1 rows. Plan: every shard by its index resource_by_key, the limit
-- pushed down.
SELECT compartment, type, id, last_updated
FROM resource
WHERE key IS NULL
ORDER BY key, compartment
LIMIT $1
