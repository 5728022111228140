-- Forgets an identifier of a resource. $1 key, $2 hash of the system, $3 type, $4 id. Plan: primary key, one shard.
DELETE FROM identifier_home
WHERE key = $1 AND system_hash = $2 AND type = $3 AND id = $4
