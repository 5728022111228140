-- Assertions that are out of date, whatever the clocks: nobody could show them again. Plan: a small table of the coordinator, by the
-- index of expiry.
DELETE FROM client_assertion
WHERE expires < clock_timestamp() - interval '10 minutes'
