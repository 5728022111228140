-- A seal. $1 writer, $2 number, $3 and $4 the first and last record, $5 the numbers between them that never came to be, $6 and
-- $7 the times of the first and last, $8 the hash, $9 the same as a JWS. Sent again after a failure it changes nothing. Plan: a
-- small table of the coordinator.
INSERT INTO audit_seal (writer, number, first, last, voids, since, until, head, signed)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
ON CONFLICT (writer, number) DO NOTHING
