-- Design "mixed": references in the array, all other tokens as rows.
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
CREATE TABLE search_token (
    token       bigint           NOT NULL,
    date        bigint           NOT NULL,
    key         bigint           NOT NULL,
    param       integer          NOT NULL,
    system      integer,
    compartment text COLLATE "C" NOT NULL,
    code        text COLLATE "C"
);
CREATE INDEX search_token_by_token ON search_token (token, date, key);
CREATE INDEX search_token_by_compartment ON search_token (compartment, token);
CREATE INDEX search_token_by_key ON search_token (key);
ALTER TABLE search_token ALTER COLUMN token SET STATISTICS 1000;
