-- Revokes a key. $1 its id, $2 the account that it must belong to. Plan: a small table of the coordinator.
UPDATE api_key
SET revoked = clock_timestamp()
WHERE id = $1 AND account = $2 AND revoked IS NULL
RETURNING id
