-- Where resources live that belong to this patient, too, besides their own. $1 compartment (the patient), $2 types, none
-- for all. Plan: primary key, one shard.
SELECT DISTINCT home
FROM compartment_member
WHERE compartment = $1 AND (cardinality($2::text[]) = 0 OR type = ANY($2))
