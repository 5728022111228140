-- As refinery notes it. $1 version, $2 name, $3 time (RFC 3339), $4 checksum.
INSERT INTO refinery_schema_history (version, name, applied_on, checksum) VALUES ($1, $2, $3, $4)
