-- Records of all compartments, the newest first. $1 from, $2 to and without, $3 accounts, $4 interactions, $5 and $6 between
-- which statuses, $7 what the record holds; each of $3 to $7 may be null. $8 to $10 the record that the page before ended with,
-- $11 at most so many. Plan: backwards along the index of time, month by month, on every shard.
SELECT recorded, writer, number, record
FROM audit
WHERE recorded >= $1 AND recorded < $2
    AND ($3::text[] IS NULL OR account = ANY ($3))
    AND ($4::text[] IS NULL OR convert_from(record, 'UTF8')::jsonb ->> 'interaction' = ANY ($4))
    AND ($5::int IS NULL OR (convert_from(record, 'UTF8')::jsonb ->> 'status')::int BETWEEN $5 AND $6)
    AND ($7::jsonb IS NULL OR convert_from(record, 'UTF8')::jsonb @> $7)
    AND (recorded, writer, number) < ($8, $9, $10)
ORDER BY recorded DESC, writer DESC, number DESC
LIMIT $11
