-- Accounts in the order of their names. $1 after this name, $2 at most so many. Plan: a small table of the coordinator, by
-- the index of names.
SELECT id, username, password, role, patient, practitioner, email, disabled, created, changed
FROM account
WHERE username > $1
ORDER BY username
LIMIT $2
