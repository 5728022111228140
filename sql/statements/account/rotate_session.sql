-- The next refresh token takes the place of the one in use. $1 id of the session, $2 hash of the token in use, $3 hash of the
-- next. No row: another request was faster. Plan: a small table of the coordinator.
UPDATE session
SET previous = refresh, refresh = $3, replaced = clock_timestamp(), last_used = clock_timestamp()
WHERE id = $1 AND refresh = $2 AND ended IS NULL
RETURNING id
