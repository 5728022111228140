-- Superseded versions of a resource, oldest first, to be told of before they go. $1 compartment, $2 type, $3 id, $4 version
-- after which to go on, $5 rows. Plan: primary key, one shard.
SELECT version_id, body
FROM resource_history
WHERE compartment = $1 AND type = $2 AND id = $3 AND version_id > $4
ORDER BY version_id
LIMIT $5
