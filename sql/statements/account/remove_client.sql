-- Removes a client; its sessions and codes go with it. $1 its id. Plan: small tables of the coordinator, by their keys and by the
-- index of clients.
DELETE FROM client
WHERE id = $1
RETURNING id
