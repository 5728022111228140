-- As `list`, of one compartment ($12). Plan: backwards along the primary key, month by month, on one shard.
SELECT recorded, writer, number, record
FROM audit
WHERE compartment = $12
    AND recorded >= $1 AND recorded < $2
    AND ($3::text[] IS NULL OR account = ANY ($3))
    AND ($4::text[] IS NULL OR convert_from(record, 'UTF8')::jsonb ->> 'interaction' = ANY ($4))
    AND ($5::int IS NULL OR (convert_from(record, 'UTF8')::jsonb ->> 'status')::int BETWEEN $5 AND $6)
    AND ($7::jsonb IS NULL OR convert_from(record, 'UTF8')::jsonb @> $7)
    AND (recorded, writer, number) < ($8, $9, $10)
ORDER BY recorded DESC, writer DESC, number DESC
LIMIT $11
