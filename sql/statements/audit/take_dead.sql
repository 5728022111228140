-- Takes over one server that was not heard of for a minute, so that no other one does; until it is ended it can be taken
-- again, should the one that took it die, too. Plan: a small table of the coordinator.
UPDATE audit_writer
SET seen = clock_timestamp()
WHERE id = (
    SELECT id
    FROM audit_writer
    WHERE ended IS NULL AND seen < clock_timestamp() - interval '1 minute'
    LIMIT 1
    FOR UPDATE SKIP LOCKED
)
RETURNING id, started
