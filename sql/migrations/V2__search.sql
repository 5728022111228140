-- The search index. Entries of a resource are narrow rows beside it, on the same shard; docs/DATA.md explains each table.
--
-- Columns: `key` is the resource's number (resource.key), `date` its leading date, so that the entries of one token lie in
-- the order of a page. `token`, `param` and `self` are hashes (src/search/hash.rs). Times are microseconds since 1970.

-- key: made with the first version, grows with time, never changes; null for rows from before the index, until they are
-- reindexed. self: hash of type and id, what references hold. date, date_high: the leading date's span; the smallest
-- bigint where there is none.
ALTER TABLE resource
    ADD COLUMN key       bigint,
    ADD COLUMN self      bigint,
    ADD COLUMN date      bigint NOT NULL DEFAULT -9223372036854775808,
    ADD COLUMN date_high bigint NOT NULL DEFAULT -9223372036854775808;
-- Unique, so that two servers that make one number for two resources of a patient do not go unnoticed.
CREATE UNIQUE INDEX resource_by_key ON resource (key, compartment);
CREATE INDEX resource_by_self ON resource (self);
-- The order of pages.
CREATE INDEX resource_by_date ON resource (type, date, key) WHERE body IS NOT NULL;
-- Spans of more than 32 days: they may end long after they begin, so a search for an end cannot be bounded by the begin.
CREATE INDEX resource_by_long_date ON resource (type, date_high) WHERE body IS NOT NULL AND date_high - date > 2764800000000;

-- Codes, references and uris.
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
-- Some tokens are on half of all resources, most on a handful: the planner must know the frequent ones by name.
ALTER TABLE search_token ALTER COLUMN token SET STATISTICS 1000;

-- Texts, folded. The index holds their beginnings, for a row of an index has a limit.
CREATE TABLE search_string (
    param       bigint           NOT NULL,
    key         bigint           NOT NULL,
    exact       bigint           NOT NULL,
    system      integer,
    compartment text COLLATE "C" NOT NULL,
    value       text COLLATE "C" NOT NULL
);
CREATE INDEX search_string_by_value ON search_string (param, left(value, 64), key);
CREATE INDEX search_string_by_key ON search_string (key);

-- Dates other than the leading one.
CREATE TABLE search_date (
    param       bigint           NOT NULL,
    low         bigint           NOT NULL,
    high        bigint           NOT NULL,
    key         bigint           NOT NULL,
    system      integer,
    compartment text COLLATE "C" NOT NULL
);
CREATE INDEX search_date_by_low ON search_date (param, low, key);
CREATE INDEX search_date_by_long ON search_date (param, high) WHERE high - low > 2764800000000;
CREATE INDEX search_date_by_key ON search_date (key);

-- Numbers and quantities: in the canonical unit, and as written.
CREATE TABLE search_number (
    param       bigint           NOT NULL,
    unit        bigint           NOT NULL,
    low         double precision NOT NULL,
    high        double precision NOT NULL,
    raw_low     double precision NOT NULL,
    raw_high    double precision NOT NULL,
    key         bigint           NOT NULL,
    unit_code   integer          NOT NULL,
    unit_text   integer          NOT NULL,
    system      integer,
    compartment text COLLATE "C" NOT NULL
);
CREATE INDEX search_number_by_low ON search_number (param, unit, low, key);
CREATE INDEX search_number_by_raw ON search_number (param, raw_low, key);
CREATE INDEX search_number_by_range ON search_number (param, high) WHERE low < high;
CREATE INDEX search_number_by_key ON search_number (key);

-- Places on the earth, in degrees.
CREATE TABLE search_position (
    latitude    double precision NOT NULL,
    longitude   double precision NOT NULL,
    key         bigint           NOT NULL,
    compartment text COLLATE "C" NOT NULL
);
CREATE INDEX search_position_by_latitude ON search_position (latitude, longitude, key);
CREATE INDEX search_position_by_key ON search_position (key);
