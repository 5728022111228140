-- Design "rows": one narrow row for each token, under a btree that ends in the order of a page (as sql/migrations has it).
CREATE TABLE resource (
    compartment text COLLATE "C" NOT NULL,
    type        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    key         bigint           NOT NULL,
    date        bigint           NOT NULL,
    body        bytea            NOT NULL,
    PRIMARY KEY (compartment, type, id)
);
CREATE UNIQUE INDEX resource_by_key ON resource (key, compartment);
CREATE INDEX resource_by_date ON resource (type, date, key);
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
-- Counters: how many resources of a patient have a token. Only the trial's counted writes keep it.
CREATE TABLE tally (
    compartment text COLLATE "C" NOT NULL,
    token       bigint           NOT NULL,
    n           bigint           NOT NULL,
    PRIMARY KEY (compartment, token)
) WITH (fillfactor = 70);
CREATE INDEX tally_by_token ON tally (token) INCLUDE (n);
