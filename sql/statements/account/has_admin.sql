-- Whether somebody can administer. Plan: a small table of the coordinator.
SELECT EXISTS (SELECT FROM account WHERE role = 'admin' AND NOT disabled) AS found
