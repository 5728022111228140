-- Changes with every change of any resource of a type: also when one is removed for good and made again with as many
-- versions, for the new one is younger. $1 type. Plan: every shard by its index resource_by_type_and_time; asked of
-- SearchParameter, StructureDefinition, ValueSet and CodeSystem, of which there are few.
SELECT count(*) AS resources, coalesce(sum(version_id), 0)::bigint AS versions, max(last_updated) AS latest
FROM resource
WHERE type = $1
