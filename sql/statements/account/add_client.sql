-- A new client. $1 id, $2 name, $3 kind, $4 redirect addresses, $5 scopes, $6 hash of its secret or null, $7 its key set or null,
-- $8 the account that it acts for or null. Plan: a small table of the coordinator.
INSERT INTO client (id, name, kind, redirect_uris, scopes, secret, jwks, account, created, changed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, clock_timestamp(), clock_timestamp())
RETURNING id, name, kind, redirect_uris, scopes, secret, jwks, account, disabled, created, changed
