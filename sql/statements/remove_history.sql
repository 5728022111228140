-- Removes the history of a resource from the shard that it leaves. $1 compartment, $2 type, $3 id. Plan: primary key, one shard.
DELETE FROM resource_history
WHERE compartment = $1 AND type = $2 AND id = $3
