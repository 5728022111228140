-- Records, many in one statement whatever their number: $1 compartments, $2 times, $3 writers, $4 numbers, $5 accounts, $6
-- records. Of plain PostgreSQL only: on Citus the rows of each shard are a statement of their own. Plan: one scan of the arrays.
INSERT INTO audit (compartment, recorded, writer, number, account, record)
SELECT *
FROM unnest($1::text[], $2::timestamptz[], $3::bigint[], $4::bigint[], $5::text[], $6::bytea[])
