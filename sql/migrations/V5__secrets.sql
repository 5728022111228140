-- What every server on this database must know and no client. docs/DATA.md explains each table.

CREATE TABLE secret (
    name  text COLLATE "C" PRIMARY KEY,
    bytes bytea            NOT NULL
);
-- The key of paging tokens: 244 random bits from the system's generator.
INSERT INTO secret (name, bytes)
VALUES ('paging', decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex'));
