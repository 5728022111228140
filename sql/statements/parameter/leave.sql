-- A server goes. $1 its number. Plan: a small table of the coordinator.
DELETE FROM server
WHERE id = $1
