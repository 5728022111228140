-- Sessions that ended a month ago: a refresh token of theirs is refused as unknown from then on. A backend service has a new one
-- every few minutes and no refresh token: its own go after a day. Plan: small tables of the coordinator, by the index of expiry.
DELETE FROM session
WHERE expires < clock_timestamp() - interval '30 days'
    OR (expires < clock_timestamp() - interval '1 day'
        AND client_id IN (SELECT id FROM client WHERE kind = 'backend'))
