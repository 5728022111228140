-- A password was right. $1 hash of the user name. Plan: a small table of the coordinator.
DELETE FROM log_in_failure
WHERE username = $1
