-- Changes with every change of any resource of a type, for rows are never removed. $1 type. Plan: every shard by its index
-- resource_by_type_and_time; asked of SearchParameter, StructureDefinition, ValueSet and CodeSystem, of which there are few.
SELECT count(*) AS resources, coalesce(sum(version_id), 0)::bigint AS versions
FROM resource
WHERE type = $1
