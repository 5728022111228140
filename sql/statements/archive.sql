-- Copies the current version into the history. $1 compartment, $2 type, $3 id, $4 when it was superseded. Plan: one shard.
INSERT INTO resource_history (compartment, type, id, version_id, last_updated, superseded, method, body)
SELECT compartment, type, id, version_id, last_updated, $4, method, body
FROM resource
WHERE compartment = $1 AND type = $2 AND id = $3
