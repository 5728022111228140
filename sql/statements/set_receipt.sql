-- Notes that a piece of `brasa load` is stored. $1 key, $2 time. Plan: primary key, one shard.
INSERT INTO load_receipt (key, made)
VALUES ($1, $2)
ON CONFLICT (key) DO UPDATE SET made = excluded.made
