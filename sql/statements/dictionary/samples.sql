-- Bodies to train a dictionary on. $1 rows, $2 bytes of a body at most. Plan: every shard, the limit pushed down; run by hand, seldom.
SELECT body
FROM resource
WHERE octet_length(body) <= $2
LIMIT $1
