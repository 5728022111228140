-- Takes resources' places out of the index. $1 compartment, $2 keys. Plan: index search_position_by_key, one shard.
DELETE FROM search_position
WHERE compartment = $1 AND key = ANY($2)
