-- Takes the turn to try a password. $1 hash of the user name. `known`: passwords were wrong before; then only one may be tried
-- until the next moment, and `taken` says whether it is this one, `wait` how long that moment is away (s). Two at once: the
-- second waits for the first's row and then finds its turn gone. Plan: a small table of the coordinator.
WITH taken AS (
    UPDATE log_in_failure
    SET next = clock_timestamp() + least(60, 2 ^ (failures - 1)) * interval '1 second'
    WHERE username = $1 AND next <= clock_timestamp()
    RETURNING username
)
SELECT EXISTS (SELECT FROM taken) AS taken, count(*) > 0 AS known,
    coalesce(greatest(1, ceil(extract(epoch FROM max(next) - clock_timestamp()))), 1)::integer AS wait
FROM log_in_failure
WHERE username = $1
