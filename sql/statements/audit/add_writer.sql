-- A server comes. $1 its number. Plan: a small table of the coordinator.
INSERT INTO audit_writer (id, started, seen)
VALUES ($1, clock_timestamp(), clock_timestamp())
