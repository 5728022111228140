-- Removes one superseded version. $1 compartment, $2 type, $3 id, $4 version. Plan: primary key, one shard.
DELETE FROM resource_history
WHERE compartment = $1 AND type = $2 AND id = $3 AND version_id = $4
