-- A server goes, all of its records sealed. $1 its number. Plan: a small table of the coordinator.
UPDATE audit_writer
SET ended = clock_timestamp()
WHERE id = $1 AND ended IS NULL
