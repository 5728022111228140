-- Sets a password by a link: that link and all others of the account end, and all its sessions. $1 hash of the token, $2 hash
-- of the password. No row: the link may not be used, or no longer. Two at once: the account's row is locked first, so the
-- second finds its link ended. Plan: small tables of the coordinator.
WITH owner AS MATERIALIZED (
    SELECT account.id
    FROM account
    JOIN password_reset ON password_reset.account = account.id
    WHERE password_reset.hash = $1 AND NOT account.disabled
    FOR UPDATE OF account
), used AS (
    UPDATE password_reset
    SET ended = clock_timestamp()
    FROM owner
    WHERE password_reset.hash = $1 AND password_reset.account = owner.id AND password_reset.ended IS NULL
        AND password_reset.expires > clock_timestamp()
    RETURNING password_reset.account
), changed AS (
    UPDATE account
    SET password = $2, changed = clock_timestamp()
    FROM used
    WHERE account.id = used.account
    RETURNING account.id, account.username
), unlinked AS (
    UPDATE password_reset
    SET ended = clock_timestamp()
    FROM changed
    WHERE password_reset.account = changed.id AND password_reset.hash <> $1 AND password_reset.ended IS NULL
), ended AS (
    UPDATE session
    SET ended = clock_timestamp()
    FROM changed
    WHERE session.account = changed.id AND session.ended IS NULL
)
SELECT id, username
FROM changed
