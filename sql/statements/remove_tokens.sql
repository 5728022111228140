-- Takes resources' codes, references and uris out of the index. $1 compartment, $2 keys. Plan: index search_token_by_key, one shard.
DELETE FROM search_token
WHERE compartment = $1 AND key = ANY($2)
