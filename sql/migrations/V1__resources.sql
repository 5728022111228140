-- Resources by compartment. Runs on plain PostgreSQL; sql/citus distributes what it makes.
--
-- The first column of every table is its distribution column. `compartment` is a patient's logical id, or `Type/id`
-- for a resource outside every patient's compartment. docs/DATA.md explains each table.

-- The current version of each resource, deleted ones included (body is null).
CREATE TABLE resource (
    compartment  text COLLATE "C" NOT NULL,
    type         text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    version_id   bigint           NOT NULL,
    last_updated timestamptz      NOT NULL,
    method       text COLLATE "C" NOT NULL,
    body         bytea,
    PRIMARY KEY (compartment, type, id)
);
-- History of a type and of the system, newest first. Equal times are stored once by the index's deduplication.
CREATE INDEX resource_by_type_and_time ON resource (type, last_updated);
CREATE INDEX resource_by_time ON resource (last_updated);

-- Superseded versions. `superseded` is when the next version was made: `_at` asks for what was current then.
CREATE TABLE resource_history (
    compartment  text COLLATE "C" NOT NULL,
    type         text COLLATE "C" NOT NULL,
    id           text COLLATE "C" NOT NULL,
    version_id   bigint           NOT NULL,
    last_updated timestamptz      NOT NULL,
    superseded   timestamptz      NOT NULL,
    method       text COLLATE "C" NOT NULL,
    body         bytea,
    PRIMARY KEY (compartment, type, id, version_id)
);
CREATE INDEX resource_history_by_type_and_time ON resource_history (type, last_updated);
CREATE INDEX resource_history_by_time ON resource_history (last_updated);

-- Where a resource lives whose id does not tell: ids chosen by clients, and resources moved to another patient.
CREATE TABLE resource_home (
    id          text COLLATE "C" NOT NULL,
    type        text COLLATE "C" NOT NULL,
    compartment text COLLATE "C" NOT NULL,
    PRIMARY KEY (id, type)
);

-- A resource's further patients: the row is on that patient's shard and points at the resource's home.
CREATE TABLE compartment_member (
    compartment text COLLATE "C" NOT NULL,
    type        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    home        text COLLATE "C" NOT NULL,
    PRIMARY KEY (compartment, type, id)
);

-- Business identifiers of Patients and of types outside every patient's compartment.
-- `key` is a hash of type and value, so one row answers `system|value`, `|value` and `value`.
CREATE TABLE identifier_home (
    key         text COLLATE "C" NOT NULL,
    system_hash text COLLATE "C" NOT NULL,
    type        text COLLATE "C" NOT NULL,
    id          text COLLATE "C" NOT NULL,
    PRIMARY KEY (key, system_hash, type, id)
);

-- What `brasa load` has stored: the row commits with the resources, so `--resume` loads nothing twice.
CREATE TABLE load_receipt (
    key     text COLLATE "C" PRIMARY KEY,
    made    timestamptz NOT NULL
);

-- Trained compression dictionaries beyond the one in the binary. Never deleted while a body uses them.
CREATE TABLE dictionary (
    id    smallint PRIMARY KEY,
    made  timestamptz NOT NULL,
    bytes bytea       NOT NULL
);
