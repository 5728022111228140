-- Whether `brasa load` has stored a piece. $1 key. Plan: primary key, one shard.
SELECT 1
FROM load_receipt
WHERE key = $1
