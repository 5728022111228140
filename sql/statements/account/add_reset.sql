-- A link by which an account's password is set. $1 hash of its token, $2 the account, $3 its life (s), $4 at most so many in
-- an hour. No row: the account has no address, is disabled, or had as many. Plan: small tables of the coordinator.
INSERT INTO password_reset (hash, account, created, expires)
SELECT $1, id, clock_timestamp(), clock_timestamp() + $3::bigint * interval '1 second'
FROM account
WHERE id = $2 AND NOT disabled AND email IS NOT NULL
    AND (SELECT count(*) FROM password_reset WHERE account = $2 AND created > clock_timestamp() - interval '1 hour') < $4
RETURNING hash
