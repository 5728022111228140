-- The key for id tokens beside one that signs, unless another server was faster. $1 id of the key that signs, $2 the key. Plan: a
-- small table of the coordinator.
UPDATE signing_key
SET id_key = $2
WHERE id = $1 AND id_key IS NULL
