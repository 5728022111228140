-- Distributes what V10__audit.sql made, in the colocation group of `resource`. Partitions follow the table. Writers, seals and
-- months stay ordinary tables of the coordinator.

SELECT create_distributed_table('audit', 'compartment', colocate_with => 'resource');
