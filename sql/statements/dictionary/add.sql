-- Stores a dictionary under the next number. $1 bytes, $2 highest number. Number 1 ships in the binary.
-- Plan: a small table of the coordinator; two trainings at once meet at the primary key.
INSERT INTO dictionary (id, made, bytes)
SELECT coalesce(max(id), 1) + 1, now(), $1
FROM dictionary
HAVING coalesce(max(id), 1) < $2::smallint
RETURNING id
