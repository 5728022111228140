-- Forgets a further patient of a resource. $1 compartment (that patient), $2 type, $3 id. Plan: primary key, one shard.
DELETE FROM compartment_member
WHERE compartment = $1 AND type = $2 AND id = $3
