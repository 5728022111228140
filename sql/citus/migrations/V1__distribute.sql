-- Distributes what V1__resources.sql made: one colocation group, so that equal values of the first column share a shard.
-- `dictionary` stays an ordinary table of the coordinator: it is read at start and when an unknown number is met.

SELECT create_distributed_table('resource', 'compartment');
SELECT create_distributed_table('resource_history', 'compartment', colocate_with => 'resource');
SELECT create_distributed_table('compartment_member', 'compartment', colocate_with => 'resource');
SELECT create_distributed_table('resource_home', 'id', colocate_with => 'resource');
SELECT create_distributed_table('identifier_home', 'key', colocate_with => 'resource');
SELECT create_distributed_table('load_receipt', 'key', colocate_with => 'resource');
