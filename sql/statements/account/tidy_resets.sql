-- Links that have been out of date for a day. Plan: a small table of the coordinator.
DELETE FROM password_reset
WHERE expires < clock_timestamp() - interval '1 day'
