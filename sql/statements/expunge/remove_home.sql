-- Forgets where a resource lived. $1 id, $2 type. Plan: primary key, one shard.
DELETE FROM resource_home
WHERE id = $1 AND type = $2
