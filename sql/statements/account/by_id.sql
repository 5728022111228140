-- An account. $1 its id. Plan: a small table of the coordinator.
SELECT id, username, password, role, patient, practitioner, email, disabled, created, changed
FROM account
WHERE id = $1
