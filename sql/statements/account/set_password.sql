-- A new password; all sessions of the account end but one, and the links by which a password is set. $1 id of the account, $2
-- hash of the password, $3 hash of the one before: another change may have been faster. $4 the session that goes on, or null:
-- all end. Plan: small tables of the coordinator.
WITH changed AS (
    UPDATE account
    SET password = $2, changed = clock_timestamp()
    WHERE id = $1 AND password = $3
    RETURNING id
), ended AS (
    UPDATE session
    SET ended = clock_timestamp()
    FROM changed
    WHERE session.account = changed.id AND session.ended IS NULL AND session.id IS DISTINCT FROM $4
), unlinked AS (
    UPDATE password_reset
    SET ended = clock_timestamp()
    FROM changed
    WHERE password_reset.account = changed.id AND password_reset.ended IS NULL
)
SELECT id
FROM changed
