-- Puts the next version in place of the current one. $1 compartment, $2 type, $3 id, $4 version, $5 time, $6 method,
-- $7 body, $8 the version that it follows, $9 key, $10 self, $11 and $12 the leading date's span. Plan: primary key, one shard.
UPDATE resource
SET version_id = $4, last_updated = $5, method = $6, body = $7, key = $9, self = $10, date = $11, date_high = $12
WHERE compartment = $1 AND type = $2 AND id = $3 AND version_id = $8
