-- The seals of a writer in their order, a page of them. $1 writer, $2 the number after which, $3 at most so many. Plan: the
-- primary key.
SELECT number, first, last, voids, since, until, head, signed
FROM audit_seal
WHERE writer = $1 AND number > $2
ORDER BY number
LIMIT $3
