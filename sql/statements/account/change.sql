-- Changes what an administrator decides; a null changes nothing. $1 id, $2 role, $3 whether it is disabled, $4 whether to set
-- the patient, $5 the patient, $6 and $7 likewise the practitioner, $8 hash of a new password, $9 whether to set the e-mail
-- address, $10 the address. Whoever is disabled or gets a new password is logged out everywhere; that, and another address,
-- end the links by which a password is set. No row: no such account, or it is the last one that can administer. Plan: small
-- tables of the coordinator.
-- `admins` is read only where an administrator would cease to be one. It locks them all, in one order, so that of two who
-- demote each other at once the second sees what the first has left.
WITH admins AS MATERIALIZED (
    SELECT id
    FROM account
    WHERE role = 'admin' AND NOT disabled
    ORDER BY id
    FOR UPDATE
), changed AS (
    UPDATE account
    SET role = coalesce($2, role), disabled = coalesce($3, disabled),
        patient = CASE WHEN $4 THEN $5 ELSE patient END,
        practitioner = CASE WHEN $6 THEN $7 ELSE practitioner END,
        email = CASE WHEN $9 THEN $10 ELSE email END,
        password = coalesce($8, password), changed = clock_timestamp()
    WHERE id = $1
        AND (role <> 'admin' OR disabled OR (coalesce($2, role) = 'admin' AND NOT coalesce($3, disabled))
            OR EXISTS (SELECT FROM admins WHERE admins.id <> $1))
    RETURNING id, username, password, role, patient, practitioner, email, disabled, created, changed
), ended AS (
    UPDATE session
    SET ended = clock_timestamp()
    FROM changed
    WHERE session.account = changed.id AND session.ended IS NULL AND (changed.disabled OR $8 IS NOT NULL)
), unlinked AS (
    UPDATE password_reset
    SET ended = clock_timestamp()
    FROM changed
    WHERE password_reset.account = changed.id AND password_reset.ended IS NULL
        AND (changed.disabled OR $8 IS NOT NULL OR $9)
)
SELECT id, username, password, role, patient, practitioner, email, disabled, created, changed
FROM changed
