-- Where each shard of the colocation group is. Plan: metadata of the coordinator.
SELECT shard.shardid, shard.shardminvalue::int AS hash_min, shard.shardmaxvalue::int AS hash_max, node.nodename, node.nodeport
FROM pg_dist_shard AS shard
JOIN pg_dist_placement AS placement USING (shardid)
JOIN pg_dist_node AS node USING (groupid)
WHERE shard.logicalrelid = 'resource'::regclass AND node.noderole = 'primary' AND node.hasmetadata AND node.metadatasynced
ORDER BY shard.shardminvalue::int
