-- Puts the next version in place of the current one. $1 compartment, $2 type, $3 id, $4 version, $5 time, $6 method,
-- $7 body, $8 the version that it follows. Plan: primary key, one shard.
UPDATE resource
SET version_id = $4, last_updated = $5, method = $6, body = $7
WHERE compartment = $1 AND type = $2 AND id = $3 AND version_id = $8
