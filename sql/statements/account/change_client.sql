-- Changes a client; a null changes nothing. $1 id, $2 name, $3 redirect addresses, $4 scopes, $5 key set, $6 whether it is
-- disabled. What it may do is not what its sessions were given for: they end when scopes or keys change, or it is disabled.
-- Plan: small tables of the coordinator.
WITH changed AS (
    UPDATE client
    SET name = coalesce($2, name), redirect_uris = coalesce($3, redirect_uris), scopes = coalesce($4, scopes),
        jwks = coalesce($5, jwks), disabled = coalesce($6, disabled), changed = clock_timestamp()
    WHERE id = $1
    RETURNING id, name, kind, redirect_uris, scopes, secret, jwks, account, disabled, created, changed
), ended AS (
    UPDATE session
    SET ended = clock_timestamp()
    FROM changed
    WHERE session.client_id = changed.id AND session.ended IS NULL
        AND (changed.disabled OR $4 IS NOT NULL OR $5 IS NOT NULL)
), void AS (
    DELETE FROM authorization_code
    USING changed
    WHERE authorization_code.client = changed.id AND authorization_code.used IS NULL
        AND (changed.disabled OR $3 IS NOT NULL OR $4 IS NOT NULL)
)
SELECT id, name, kind, redirect_uris, scopes, secret, jwks, account, disabled, created, changed
FROM changed
