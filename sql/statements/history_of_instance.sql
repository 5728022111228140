-- Versions of one resource, newest first. $1 compartment, $2 type, $3 id, $4 version before which to go on, $5 since,
-- $6 start and $7 end of the time at which it was current, $8 rows. Plan: two primary keys, one shard.
SELECT version_id, last_updated, method, body
FROM (
    SELECT version_id, last_updated, 'infinity'::timestamptz AS superseded, method, body
    FROM resource
    WHERE compartment = $1 AND type = $2 AND id = $3
    UNION ALL
    SELECT version_id, last_updated, superseded, method, body
    FROM resource_history
    WHERE compartment = $1 AND type = $2 AND id = $3
) AS version
WHERE version_id < $4 AND last_updated >= $5 AND superseded > $6 AND last_updated < $7
ORDER BY version_id DESC
LIMIT $8
