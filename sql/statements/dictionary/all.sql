-- Every trained dictionary. Plan: a small table of the coordinator.
SELECT id, bytes
FROM dictionary
ORDER BY id
