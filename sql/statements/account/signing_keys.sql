-- The keys that sign tokens, the newest first: all, or those that sign or verify. $1 whether all, $2 how long one that was
-- retired still verifies (s). Plan: a small table of the coordinator.
SELECT id, pkcs8, id_key, created, retired,
    retired IS NULL OR retired > clock_timestamp() - $2::bigint * interval '1 second' AS verifies
FROM signing_key
WHERE $1::boolean OR retired IS NULL OR retired > clock_timestamp() - $2::bigint * interval '1 second'
ORDER BY generation DESC
