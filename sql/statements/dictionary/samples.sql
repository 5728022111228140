-- Bodies to train a dictionary on. $1 rows. Plan: every shard, the limit pushed down; run by hand, seldom.
SELECT body
FROM resource
WHERE body IS NOT NULL
LIMIT $1
