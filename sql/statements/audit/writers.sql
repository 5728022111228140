-- All writers in the order of their coming. Plan: a small table of the coordinator.
SELECT id, started, ended
FROM audit_writer
ORDER BY started, id
