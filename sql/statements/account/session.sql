-- A session with its account: what a token is worth now. $1 id of the session. `grace`: the token before may still be shown by
-- a client that did not receive the answer. `context`: the patient of a client's launch context. Plan: small tables of the
-- coordinator, by their keys.
SELECT session.secret, session.refresh, session.previous, session.created, session.expires, session.client_id, session.scopes,
    session.patient AS context,
    coalesce(session.replaced > clock_timestamp() - interval '10 seconds', false) AS grace,
    session.ended IS NULL AND session.expires > clock_timestamp() AND NOT account.disabled
        AND coalesce(NOT client.disabled, true) AS valid,
    account.id, account.username, account.role, account.patient, account.practitioner, account.email
FROM session
JOIN account ON account.id = session.account
LEFT JOIN client ON client.id = session.client_id
WHERE session.id = $1
