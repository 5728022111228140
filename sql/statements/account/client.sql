-- A client. $1 its id. Plan: a small table of the coordinator, by its key.
SELECT id, name, kind, redirect_uris, scopes, secret, jwks, account, disabled, created, changed
FROM client
WHERE id = $1
