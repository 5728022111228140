-- Forgets a search parameter that is no longer active. $1 id, $2 hash, $3 when it was noted: not one that was noted again
-- meanwhile. Plan: a small table of the coordinator.
DELETE FROM search_parameter
WHERE id = $1 AND hash = $2 AND made = $3
