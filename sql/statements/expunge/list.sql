-- What a patient's record holds, the Patient last, so that the record has its name until all else is gone. $1 compartment,
-- $2 rows. Plan: primary key, one shard.
SELECT type, id
FROM resource
WHERE compartment = $1
ORDER BY type = 'Patient', type, id
LIMIT $2
