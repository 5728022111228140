-- The accounts with an e-mail address, however it is written. $1 the address, $2 at most so many. Plan: a small table of the
-- coordinator, by the index of addresses.
SELECT id, username, password, role, patient, practitioner, email, disabled, created, changed
FROM account
WHERE lower(email) = lower($1)
ORDER BY username
LIMIT $2
