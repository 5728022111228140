-- As `list`, of one compartment ($11). Plan: backwards along the primary key, month by month, on one shard.
SELECT recorded, writer, number, record
FROM audit
WHERE compartment = $11
    AND recorded >= $1 AND recorded < $2
    AND ($3::text[] IS NULL OR account = ANY ($3))
    AND ($4::text[] IS NULL OR convert_from(record, 'UTF8')::jsonb ->> 'interaction' = ANY ($4))
    AND ($5::int[] IS NULL OR (convert_from(record, 'UTF8')::jsonb ->> 'status')::int / 100 = ANY ($5))
    AND ($6::text IS NULL OR convert_from(record, 'UTF8')::jsonb @> $6::text::jsonb)
    AND (recorded, writer, number) < ($7, $8, $9)
ORDER BY recorded DESC, writer DESC, number DESC
LIMIT $10
