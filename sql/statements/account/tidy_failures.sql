-- Failures that are too old to delay anything. Plan: a small table of the coordinator.
DELETE FROM log_in_failure
WHERE next < clock_timestamp() - interval '1 hour'
