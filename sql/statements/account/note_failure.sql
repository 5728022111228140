-- A password was wrong: the next may be tried after 1, 2, 4, … 60 s; after a quiet hour it begins anew. $1 hash of the user
-- name. Plan: a small table of the coordinator.
INSERT INTO log_in_failure AS known (username, failures, next)
VALUES ($1, 1, clock_timestamp() + interval '1 second')
ON CONFLICT (username) DO UPDATE
SET failures = CASE WHEN known.next < clock_timestamp() - interval '1 hour' THEN 1 ELSE least(known.failures + 1, 20) END,
    next = clock_timestamp() + CASE
        WHEN known.next < clock_timestamp() - interval '1 hour' THEN interval '1 second'
        ELSE least(60, 2 ^ least(known.failures, 20)) * interval '1 second'
    END
