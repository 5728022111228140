-- Notes where a moved resource lives. $1 id, $2 type, $3 compartment. Plan: primary key, one shard.
INSERT INTO resource_home (id, type, compartment)
VALUES ($1, $2, $3)
ON CONFLICT (id, type) DO UPDATE SET compartment = excluded.compartment
