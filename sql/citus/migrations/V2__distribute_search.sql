-- Distributes what V2__search.sql made, in the colocation group of `resource`.

SELECT create_distributed_table('search_token', 'compartment', colocate_with => 'resource');
SELECT create_distributed_table('search_string', 'compartment', colocate_with => 'resource');
SELECT create_distributed_table('search_date', 'compartment', colocate_with => 'resource');
SELECT create_distributed_table('search_number', 'compartment', colocate_with => 'resource');
SELECT create_distributed_table('search_position', 'compartment', colocate_with => 'resource');
