-- Takes resources' words out of the full text. $1 compartment, $2 keys. Plan: index search_text_by_key, one shard.
DELETE FROM search_text
WHERE compartment = $1 AND key = ANY($2)
