-- How many versions history_of_instance would go through in all. $1 compartment, $2 type, $3 id, $4 since, $5 start and
-- $6 end of the time at which it was current. Plan: two primary keys, one shard.
SELECT count(*)
FROM (
    SELECT last_updated, 'infinity'::timestamptz AS superseded
    FROM resource
    WHERE compartment = $1 AND type = $2 AND id = $3
    UNION ALL
    SELECT last_updated, superseded
    FROM resource_history
    WHERE compartment = $1 AND type = $2 AND id = $3
) AS version
WHERE last_updated >= $4 AND superseded > $5 AND last_updated < $6
