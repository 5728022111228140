-- The next resources of a type, in the order of their versions' times: one that is written meanwhile moves behind the
-- place. $1 type; the place: $2 time, $3 compartment, $4 id; $5 rows. Plan: every shard by its index
-- resource_by_type_and_time, the limit pushed down.
SELECT compartment, type, id, last_updated
FROM resource
WHERE type = $1 AND last_updated >= $2 AND (last_updated, compartment, id) > ($2, $3, $4)
ORDER BY last_updated, compartment, id
LIMIT $5
