-- A server comes: until it says otherwise it knows nothing. $1 its number. Plan: a small table of the coordinator.
INSERT INTO server (id, synced, seen)
VALUES ($1, '-infinity', clock_timestamp())
