-- The records of a writer between two times, for those who look whether they fit their seals. $1 writer, $2 from, $3 to and
-- with. Plan: the index of time of the months that are met, on every shard.
SELECT compartment, recorded, number, account, record
FROM audit
WHERE writer = $1 AND recorded >= $2 AND recorded <= $3
