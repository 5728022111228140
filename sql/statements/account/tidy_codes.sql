-- Codes that are too old to be told from ones that never were: the sessions of those that are shown again end for a day. Plan: a
-- small table of the coordinator, by the index of expiry.
DELETE FROM authorization_code
WHERE expires < clock_timestamp() - interval '1 day'
