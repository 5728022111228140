-- Copies the history of a resource that moves. $1 old compartment, $2 type, $3 id, $4 new compartment.
-- Plan: one shard to another, through the node that runs the transaction; moves are rare.
INSERT INTO resource_history (compartment, type, id, version_id, last_updated, superseded, method, body)
SELECT $4, type, id, version_id, last_updated, superseded, method, body
FROM resource_history
WHERE compartment = $1 AND type = $2 AND id = $3
