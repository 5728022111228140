-- The first key that signs tokens; of servers that start together one is first. $1 id, $2 the key. Plan: a small table of the
-- coordinator.
INSERT INTO signing_key (id, generation, pkcs8, created)
VALUES ($1, 1, $2, clock_timestamp())
ON CONFLICT (generation) DO NOTHING
