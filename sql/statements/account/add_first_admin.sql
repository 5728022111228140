-- The first administrator, unless there is one who can log in. $1 id, $2 user name, $3 hash of the password. Plan: a small
-- table of the coordinator.
INSERT INTO account (id, username, password, role, created, changed)
SELECT $1, $2, $3, 'admin', clock_timestamp(), clock_timestamp()
WHERE NOT EXISTS (SELECT FROM account WHERE role = 'admin' AND NOT disabled)
ON CONFLICT (username) DO NOTHING
