-- A code. $1 its hash. `valid`: it was not used and is not out of date. Plan: a small table of the coordinator, by its key.
SELECT client, account, redirect_uri, challenge, scopes, patient, nonce, session,
    used IS NULL AND expires > clock_timestamp() AS valid
FROM authorization_code
WHERE hash = $1
