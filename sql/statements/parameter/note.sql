-- Notes a custom search parameter that is new, or whose expression is. $1 id, $2 hash of what is indexed, $3 the hash that
-- was noted before, or null: another server may have been faster; $4 the resource. Plan: a small table of the coordinator.
INSERT INTO search_parameter AS present (id, hash, definition, made)
VALUES ($1, $2, $4, clock_timestamp())
ON CONFLICT (id) DO UPDATE
SET hash = excluded.hash, definition = excluded.definition, made = excluded.made, job = NULL, complete = false
WHERE present.hash = $3
