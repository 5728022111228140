-- Begins again with the search parameters that were noted while a server was out of touch. $1 since when. Plan: a small
-- table of the coordinator.
UPDATE search_parameter
SET made = clock_timestamp(), job = NULL, complete = false
WHERE made > $1
RETURNING id
