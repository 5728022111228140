-- Takes resources' numbers and quantities out of the index. $1 compartment, $2 keys. Plan: index search_number_by_key, one shard.
DELETE FROM search_number
WHERE compartment = $1 AND key = ANY($2)
