-- A link that could not be sent: as if it had not been made. $1 hash of its token. Plan: a small table of the coordinator.
DELETE FROM password_reset
WHERE hash = $1
