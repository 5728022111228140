-- One version of one resource, current or superseded. $1 compartment, $2 type, $3 id, $4 version. Plan: two primary keys, one shard.
SELECT version_id, last_updated, method, body
FROM resource
WHERE compartment = $1 AND type = $2 AND id = $3 AND version_id = $4
UNION ALL
SELECT version_id, last_updated, method, body
FROM resource_history
WHERE compartment = $1 AND type = $2 AND id = $3 AND version_id = $4
