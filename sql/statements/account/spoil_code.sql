-- A code that was shown with what does not belong to it: nobody can use it any more. $1 its hash. Plan: a small table of the
-- coordinator, by its key.
UPDATE authorization_code
SET used = clock_timestamp()
WHERE hash = $1 AND used IS NULL
