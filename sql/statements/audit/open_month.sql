-- Makes a month, unless it is there or was dropped. $1 its first day. Plan: definitions on the coordinator.
WITH made AS (
    INSERT INTO audit_month (month, opened)
    VALUES ($1, clock_timestamp())
    ON CONFLICT (month) DO NOTHING
    RETURNING month
)
SELECT audit_open_month(month)
FROM made
