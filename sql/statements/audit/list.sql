-- Records of all compartments, the newest first. $1 from, $2 to and without, $3 accounts, $4 interactions, $5 hundreds of the
-- status, $6 what the record holds; each of $3 to $6 may be null. $7 to $9 the record that the page before ended with, $10 at
-- most so many. Plan: backwards along the index of time, month by month, on every shard.
SELECT recorded, writer, number, record
FROM audit
WHERE recorded >= $1 AND recorded < $2
    AND ($3::text[] IS NULL OR account = ANY ($3))
    AND ($4::text[] IS NULL OR convert_from(record, 'UTF8')::jsonb ->> 'interaction' = ANY ($4))
    AND ($5::int[] IS NULL OR (convert_from(record, 'UTF8')::jsonb ->> 'status')::int / 100 = ANY ($5))
    AND ($6::text IS NULL OR convert_from(record, 'UTF8')::jsonb @> $6::text::jsonb)
    AND (recorded, writer, number) < ($7, $8, $9)
ORDER BY recorded DESC, writer DESC, number DESC
LIMIT $10
