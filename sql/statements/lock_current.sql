-- The current version of one resource, locked until the transaction ends. $1 compartment, $2 type, $3 id. Plan: primary key, one shard.
SELECT version_id, last_updated, method, body, key
FROM resource
WHERE compartment = $1 AND type = $2 AND id = $3
FOR UPDATE
