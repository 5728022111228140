-- Takes resources' dates out of the index. $1 compartment, $2 keys. Plan: index search_date_by_key, one shard.
DELETE FROM search_date
WHERE compartment = $1 AND key = ANY($2)
