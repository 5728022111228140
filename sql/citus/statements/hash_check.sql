-- The shard that Citus itself finds for each value. $1 values. Plan: metadata of the coordinator.
SELECT value, get_shard_id_for_distribution_column('resource', value) AS shardid
FROM unnest($1::text[]) AS value
