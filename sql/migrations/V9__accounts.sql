-- Who may ask: accounts, their sessions and keys, and the keys that sign tokens. Ordinary tables, on Citus of the
-- coordinator: small, and none must be atomic with a clinical write. docs/DATA.md explains each table.

-- `username` is folded. `password` is a hash; null: nobody can log in with one. A `role` that this version does not know may
-- do nothing.
CREATE TABLE account (
    id           text COLLATE "C" PRIMARY KEY,
    username     text COLLATE "C" NOT NULL UNIQUE,
    password     text,
    role         text COLLATE "C" NOT NULL,
    patient      text COLLATE "C",
    practitioner text COLLATE "C",
    disabled     boolean          NOT NULL DEFAULT false,
    created      timestamptz      NOT NULL,
    changed      timestamptz      NOT NULL
);

-- One log-in and the refresh tokens that followed from it. Of tokens only hashes are here: of the one in use, and of the one
-- before it, whose user may not have received the answer. `secret` makes each token out of the one before.
CREATE TABLE session (
    id        text COLLATE "C" PRIMARY KEY,
    account   text COLLATE "C" NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    secret    bytea            NOT NULL,
    refresh   bytea            NOT NULL,
    previous  bytea,
    replaced  timestamptz,
    client    text             NOT NULL,
    created   timestamptz      NOT NULL,
    expires   timestamptz      NOT NULL,
    last_used timestamptz      NOT NULL,
    ended     timestamptz
);
CREATE INDEX session_by_account ON session (account);
CREATE INDEX session_by_expiry ON session (expires);

CREATE TABLE api_key (
    id        text COLLATE "C" PRIMARY KEY,
    account   text COLLATE "C" NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    name      text             NOT NULL,
    hash      bytea            NOT NULL,
    scopes    text             NOT NULL,
    created   timestamptz      NOT NULL,
    expires   timestamptz,
    last_used timestamptz,
    revoked   timestamptz
);
CREATE INDEX api_key_by_account ON api_key (account);

-- The highest generation signs. Those before it verify until the last token that they signed is out of date.
CREATE TABLE signing_key (
    id         text COLLATE "C" PRIMARY KEY,
    generation integer          NOT NULL UNIQUE,
    pkcs8      bytea            NOT NULL,
    created    timestamptz      NOT NULL,
    retired    timestamptz
);

-- Passwords that were wrong, by the hash of the user name, whether there is such an account or not.
CREATE TABLE log_in_failure (
    username bytea       PRIMARY KEY,
    failures integer     NOT NULL,
    next     timestamptz NOT NULL
);
