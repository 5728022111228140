-- Waits for a criterion's lock, which the session holds until it lets all go. $1 hash of the criterion. Plan: no table.
SELECT pg_advisory_lock($1)
