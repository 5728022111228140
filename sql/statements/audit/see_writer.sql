-- A server is there. $1 its number. No row: it was taken for dead. Plan: a small table of the coordinator.
UPDATE audit_writer
SET seen = clock_timestamp()
WHERE id = $1 AND ended IS NULL
RETURNING id
