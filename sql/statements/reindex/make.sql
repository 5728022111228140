-- A new job. $1 what it is for, in words, $2 types, $3 only resources that have no key. Plan: a small table of the
-- coordinator.
INSERT INTO reindex_job (scope, types, unindexed, made)
VALUES ($1, $2, $3, clock_timestamp())
RETURNING id
