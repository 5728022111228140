-- A secret of this database. $1 name. Plan: a small table of the coordinator.
SELECT bytes
FROM secret
WHERE name = $1
