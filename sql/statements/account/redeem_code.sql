-- A code becomes a session, in one statement: of two that show it at once the second waits, and then finds the session that it
-- must end. $1 hash of the code, $2 id of the session, $3 its secret, $4 hash of the refresh token, $5 life in seconds. No row: the
-- code was used, or the account or the client is gone or disabled. Plan: small tables of the coordinator, by their keys.
WITH used AS (
    UPDATE authorization_code
    SET used = clock_timestamp(), session = $2
    WHERE hash = $1 AND used IS NULL AND expires > clock_timestamp()
    RETURNING client, account, scopes, patient
)
INSERT INTO session (id, account, secret, refresh, client, created, expires, last_used, client_id, scopes, patient)
SELECT $2, account.id, $3, $4, client.name, clock_timestamp(), clock_timestamp() + $5::bigint * interval '1 second',
    clock_timestamp(), client.id, used.scopes, used.patient
FROM used
JOIN client ON client.id = used.client
JOIN account ON account.id = used.account
WHERE NOT client.disabled AND NOT account.disabled
RETURNING expires
