-- What the index must know of the current version, locked until the transaction ends. $1 compartment, $2 type, $3 id.
-- Plan: primary key, one shard.
SELECT body, key, self, date, date_high
FROM resource
WHERE compartment = $1 AND type = $2 AND id = $3
FOR UPDATE
