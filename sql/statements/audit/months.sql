-- The months, the oldest first. Plan: a small table of the coordinator.
SELECT month, opened, dropped
FROM audit_month
ORDER BY month
