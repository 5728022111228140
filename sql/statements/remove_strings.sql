-- Takes resources' texts out of the index. $1 compartment, $2 keys. Plan: index search_string_by_key, one shard.
DELETE FROM search_string
WHERE compartment = $1 AND key = ANY($2)
