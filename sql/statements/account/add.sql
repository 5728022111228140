-- A new account; no row: the user name is taken. $1 id, $2 user name, $3 hash of its password or null, $4 role, $5 patient,
-- $6 practitioner, $7 e-mail address or null. Plan: a small table of the coordinator.
INSERT INTO account (id, username, password, role, patient, practitioner, email, created, changed)
VALUES ($1, $2, $3, $4, $5, $6, $7, clock_timestamp(), clock_timestamp())
ON CONFLICT (username) DO NOTHING
RETURNING id, username, password, role, patient, practitioner, email, disabled, created, changed
