-- Design "array": all tokens of a resource in its own row, under a GIN index. A value with a system is there twice, with
-- the system and without, for an array has no second column to ask.
CREATE TABLE resource (
    compartment text COLLATE "C" NOT NULL,
    type        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    key         bigint           NOT NULL,
    date        bigint           NOT NULL,
    body        bytea            NOT NULL,
    tokens      bigint[]         NOT NULL,
    PRIMARY KEY (compartment, type, id)
);
CREATE UNIQUE INDEX resource_by_key ON resource (key, compartment);
CREATE INDEX resource_by_date ON resource (type, date, key);
CREATE INDEX resource_by_tokens ON resource USING gin (tokens);
ALTER TABLE resource ALTER COLUMN tokens SET STATISTICS 1000;
