-- An assertion is shown. $1 client, $2 hash of its number, $3 when it is out of date (s since 1970). No row: it was shown before,
-- here or on another server. Plan: a small table of the coordinator, by its key.
INSERT INTO client_assertion (client, hash, expires)
VALUES ($1, $2, to_timestamp($3::bigint))
ON CONFLICT (client, hash) DO NOTHING
RETURNING client
