-- Superseded versions of a system, newest first, from a key on. $1 since, $2 before (end of the time at which it was current),
-- $3 after (its start), then the key to go on after: $4 time, $5 type, $6 id, $7 version; $8 the types, NULL
-- for all; $9 the number of rows.
-- Plan: every shard by its index resource_history_by_time, the limit pushed down: a history over all patients asks all shards.
SELECT compartment, type, id, version_id, last_updated, method, body
FROM resource_history
WHERE last_updated >= $1 AND last_updated < $2 AND superseded > $3
  AND last_updated <= $4 AND (last_updated, type, id, version_id) < ($4, $5, $6, $7)
  AND ($8::text[] IS NULL OR type = ANY ($8))
ORDER BY last_updated DESC, type DESC, id DESC, version_id DESC
LIMIT $9
