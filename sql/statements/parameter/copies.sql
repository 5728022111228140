-- The custom search parameters that are noted, as their resources. Plan: a small table of the coordinator.
SELECT id, definition
FROM search_parameter
