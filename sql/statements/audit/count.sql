-- How many records each writer has. Plan: everything, on every shard.
SELECT writer, count(*) AS records
FROM audit
GROUP BY writer
