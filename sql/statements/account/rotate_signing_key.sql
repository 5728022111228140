-- A new key signs from now on. $1 id, $2 the key. Two rotations at once: one violates the order of generations and is refused.
-- Plan: a small table of the coordinator.
WITH retired AS (
    UPDATE signing_key
    SET retired = clock_timestamp()
    WHERE retired IS NULL
)
INSERT INTO signing_key (id, generation, pkcs8, created)
SELECT $1, coalesce(max(generation), 0) + 1, $2, clock_timestamp()
FROM signing_key
