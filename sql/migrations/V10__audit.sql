-- Who used what: docs/DATA.md explains each table, docs/decisions/0015-audit.md the reasons.

-- A record is in the compartment of the patient whom it is about, or where the resource is that was used. `record` is the
-- bytes that were hashed. A month is a partition, so that retention drops whole months.
CREATE TABLE audit (
    compartment text COLLATE "C" NOT NULL,
    recorded    timestamptz      NOT NULL,
    writer      bigint           NOT NULL,
    number      bigint           NOT NULL,
    account     text COLLATE "C",
    record      bytea            NOT NULL,
    PRIMARY KEY (compartment, recorded, writer, number)
) PARTITION BY RANGE (recorded);
CREATE INDEX audit_by_time ON audit (recorded, writer, number);
CREATE INDEX audit_by_account ON audit (account, recorded);

-- Servers from their start to their end. One that was not heard of for a while is taken for dead, and another one seals
-- what it left.
CREATE TABLE audit_writer (
    id      bigint      PRIMARY KEY,
    started timestamptz NOT NULL,
    seen    timestamptz NOT NULL,
    ended   timestamptz
);

-- A range of numbers of one writer that is decided, and the hash over it and all before it. `since` and `until` are the times
-- of its first and last number. `signed` is the head as a JWS.
CREATE TABLE audit_seal (
    writer bigint      NOT NULL REFERENCES audit_writer (id),
    number bigint      NOT NULL,
    first  bigint      NOT NULL,
    last   bigint      NOT NULL,
    voids  bigint[]    NOT NULL,
    since  timestamptz NOT NULL,
    until  timestamptz NOT NULL,
    head   bytea       NOT NULL,
    signed text        NOT NULL,
    PRIMARY KEY (writer, number)
);
CREATE INDEX audit_seal_by_time ON audit_seal (until);

-- The months that are there, and those that retention has dropped.
CREATE TABLE audit_month (
    month   date        PRIMARY KEY,
    opened  timestamptz NOT NULL,
    dropped timestamptz
);

-- Makes the partition of a month. Servers that do it at once take turns.
CREATE FUNCTION audit_open_month(month date) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format(
        'CREATE TABLE IF NOT EXISTS %I PARTITION OF audit FOR VALUES FROM (%L) TO (%L)',
        'audit_' || to_char(month, 'YYYY_MM'),
        month::timestamp AT TIME ZONE 'UTC',
        (month + interval '1 month') AT TIME ZONE 'UTC'
    ); END $$;

CREATE FUNCTION audit_drop_month(month date) RETURNS void LANGUAGE plpgsql AS $$ BEGIN
    EXECUTE format('DROP TABLE IF EXISTS %I', 'audit_' || to_char(month, 'YYYY_MM')); END $$;
