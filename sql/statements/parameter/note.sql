-- Notes a custom search parameter that is new, or whose expression is. $1 id, $2 hash of what is indexed, $3 the hash that
-- was noted before, or null: another server may have been faster. Plan: a small table of the coordinator.
INSERT INTO search_parameter AS present (id, hash, made)
VALUES ($1, $2, clock_timestamp())
ON CONFLICT (id) DO UPDATE SET hash = excluded.hash, made = excluded.made, job = NULL, complete = false
WHERE present.hash = $3
