-- One record. $1 when, $2 writer, $3 number. Plan: the index of time of one month, on every shard.
SELECT recorded, writer, number, record
FROM audit
WHERE recorded = $1 AND writer = $2 AND number = $3
