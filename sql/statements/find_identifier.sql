-- Resources of a type that carry an identifier. $1 key (hash of type and value), $2 hash of the system or null for any,
-- $3 rows. Plan: primary key, one shard.
SELECT DISTINCT id
FROM identifier_home
WHERE key = $1 AND ($2::text IS NULL OR system_hash = $2)
LIMIT $3
