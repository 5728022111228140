-- Clients in the order of their ids. $1 after this id, $2 at most so many. Plan: a small table of the coordinator, by its key.
SELECT id, name, kind, redirect_uris, scopes, secret, jwks, account, disabled, created, changed
FROM client
WHERE id > $1
ORDER BY id
LIMIT $2
