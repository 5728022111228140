-- Custom search parameters and the jobs that fill the index. Ordinary tables, on Citus of the coordinator, like
-- `dictionary`: small, and none must be atomic with a clinical write. docs/DATA.md explains each table.

-- How far the index is for each active SearchParameter resource. The resource says what it means; a row that is missing is
-- made again, and its job with it. The definition is a copy of the resource, for a start while a worker is down.
CREATE TABLE search_parameter (
    id         text COLLATE "C" PRIMARY KEY,
    hash       bigint           NOT NULL,
    definition bytea            NOT NULL,
    made       timestamptz      NOT NULL,
    job        bigint,
    complete   boolean          NOT NULL DEFAULT false
);

-- Jobs that write index rows again, in the order of their numbers, one at a time. The place is the last resource done.
CREATE TABLE reindex_job (
    id                bigint           GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    scope             text COLLATE "C" NOT NULL,
    types             text[]           NOT NULL,
    unindexed         boolean          NOT NULL,
    made              timestamptz      NOT NULL,
    started           timestamptz,
    updated           timestamptz,
    ended             timestamptz,
    place_type        text COLLATE "C",
    place_time        timestamptz,
    place_compartment text COLLATE "C",
    place_id          text COLLATE "C",
    done              bigint           NOT NULL DEFAULT 0,
    failed            bigint           NOT NULL DEFAULT 0,
    total             bigint
);

-- The servers that write on this database: `synced` is the time whose search parameters each of them surely knows.
CREATE TABLE server (
    id     bigint      PRIMARY KEY,
    synced timestamptz NOT NULL,
    seen   timestamptz NOT NULL
);
