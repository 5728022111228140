-- Takes the turn to work on jobs, until the session ends; false: another server has it. The lock's number is Brasa's own
-- and the table's, so that databases in schemas of one database do not wait for each other. Plan: no table.
SELECT pg_try_advisory_lock((29285::bigint << 32) | 'reindex_job'::regclass::oid::bigint) AS taken
