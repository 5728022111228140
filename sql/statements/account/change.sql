-- Changes what an administrator decides; a null changes nothing. $1 id, $2 role, $3 whether it is disabled, $4 whether to set
-- the patient, $5 the patient, $6 and $7 likewise the practitioner, $8 hash of a new password. Whoever is disabled or gets a
-- new password is logged out everywhere. No row: no such account, or it is the last one that can administer. Plan: small
-- tables of the coordinator.
WITH changed AS (
    UPDATE account
    SET role = coalesce($2, role), disabled = coalesce($3, disabled),
        patient = CASE WHEN $4 THEN $5 ELSE patient END,
        practitioner = CASE WHEN $6 THEN $7 ELSE practitioner END,
        password = coalesce($8, password), changed = clock_timestamp()
    WHERE id = $1
        AND (role <> 'admin' OR disabled OR (coalesce($2, role) = 'admin' AND NOT coalesce($3, disabled))
            OR EXISTS (SELECT FROM account AS other WHERE other.role = 'admin' AND NOT other.disabled AND other.id <> $1))
    RETURNING id, username, password, role, patient, practitioner, disabled, created, changed
), ended AS (
    UPDATE session
    SET ended = clock_timestamp()
    FROM changed
    WHERE session.account = changed.id AND session.ended IS NULL AND (changed.disabled OR $8 IS NOT NULL)
)
SELECT id, username, password, role, patient, practitioner, disabled, created, changed
FROM changed
