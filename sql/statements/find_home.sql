-- Where a resource lives whose id does not tell. $1 id, $2 type. Plan: primary key, one shard.
SELECT compartment
FROM resource_home
WHERE id = $1 AND type = $2
