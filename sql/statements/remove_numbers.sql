-- Takes a resource's numbers and quantities out of the index. $1 compartment, $2 key. Plan: index search_number_by_key, one shard.
DELETE FROM search_number
WHERE compartment = $1 AND key = $2
