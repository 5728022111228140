-- The last seal of each writer, the newest first. $1 at most so many. Plan: the primary key, once for each writer.
SELECT writer.id, writer.started, writer.ended, seal.number, seal.first, seal.last, seal.voids, seal.since, seal.until,
    seal.head, seal.signed
FROM audit_writer AS writer
CROSS JOIN LATERAL (
    SELECT *
    FROM audit_seal
    WHERE audit_seal.writer = writer.id
    ORDER BY number DESC
    LIMIT 1
) AS seal
ORDER BY seal.until DESC
LIMIT $1
