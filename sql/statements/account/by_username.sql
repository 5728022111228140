-- The account of a user name. $1 the folded name. Plan: a small table of the coordinator.
SELECT id, username, password, role, patient, practitioner, email, disabled, created, changed
FROM account
WHERE username = $1
