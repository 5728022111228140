-- Drops a month. $1 its first day. No row: it is not there. Plan: definitions on the coordinator.
WITH gone AS (
    UPDATE audit_month
    SET dropped = clock_timestamp()
    WHERE month = $1 AND dropped IS NULL
    RETURNING month
)
SELECT audit_drop_month(month)
FROM gone
