-- Sessions that ended a month ago: a refresh token of theirs is refused as unknown from then on. Plan: a small table of the
-- coordinator, by the index of expiry.
DELETE FROM session
WHERE expires < clock_timestamp() - interval '30 days'
