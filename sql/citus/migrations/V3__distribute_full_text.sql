-- Distributes what V3__full_text.sql made, in the colocation group of `resource`.

SELECT create_distributed_table('search_text', 'compartment', colocate_with => 'resource');
