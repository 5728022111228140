-- Whether a link may still be used. $1 hash of its token. Plan: small tables of the coordinator, by their keys.
SELECT EXISTS (
    SELECT
    FROM password_reset
    JOIN account ON account.id = password_reset.account
    WHERE password_reset.hash = $1 AND password_reset.ended IS NULL AND password_reset.expires > clock_timestamp()
        AND NOT account.disabled
) AS found
