-- What of the index is in the resource's own row. $1 compartment, $2 type, $3 id, $4 key, $5 self, $6 and $7 the leading
-- date's span. Plan: primary key, one shard.
UPDATE resource
SET key = $4, self = $5, date = $6, date_high = $7
WHERE compartment = $1 AND type = $2 AND id = $3
