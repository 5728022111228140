-- Programs that act for people and for themselves: OAuth's clients, the codes by which they get a session, and the assertions
-- that they have shown. Ordinary tables, on Citus of the coordinator, as those of accounts. docs/DATA.md explains each table.

-- `kind` is public, confidential or backend. `secret` is a hash. `jwks` is the set of public keys that sign its assertions.
-- `account` is whom a backend service acts for. `scopes` is the most that it may be given.
CREATE TABLE client (
    id            text COLLATE "C" PRIMARY KEY,
    name          text             NOT NULL,
    kind          text COLLATE "C" NOT NULL,
    redirect_uris text[]           NOT NULL,
    scopes        text             NOT NULL,
    secret        bytea,
    jwks          text,
    account       text COLLATE "C" REFERENCES account (id) ON DELETE CASCADE,
    disabled      boolean          NOT NULL DEFAULT false,
    created       timestamptz      NOT NULL,
    changed       timestamptz      NOT NULL
);

-- A person's consent, for a minute: what may be exchanged for a session, once. `hash` is the code's. `session` is the one that
-- was made of it, which ends when the code is shown again.
CREATE TABLE authorization_code (
    hash         bytea            PRIMARY KEY,
    client       text COLLATE "C" NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    account      text COLLATE "C" NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    redirect_uri text             NOT NULL,
    challenge    text             NOT NULL,
    scopes       text             NOT NULL,
    patient      text COLLATE "C",
    nonce        text,
    session      text COLLATE "C",
    created      timestamptz      NOT NULL,
    expires      timestamptz      NOT NULL,
    used         timestamptz
);
CREATE INDEX authorization_code_by_expiry ON authorization_code (expires);

-- Assertions that clients have shown, by a hash of their number, until they are out of date: none counts twice.
CREATE TABLE client_assertion (
    client  text COLLATE "C" NOT NULL REFERENCES client (id) ON DELETE CASCADE,
    hash    bytea            NOT NULL,
    expires timestamptz      NOT NULL,
    PRIMARY KEY (client, hash)
);
CREATE INDEX client_assertion_by_expiry ON client_assertion (expires);

-- Of a session that a client has: which one, what it may do, and the patient of its launch context. Without a client a session
-- is a person's own.
ALTER TABLE session ADD COLUMN client_id text COLLATE "C" REFERENCES client (id) ON DELETE CASCADE;
ALTER TABLE session ADD COLUMN scopes text;
ALTER TABLE session ADD COLUMN patient text COLLATE "C";
ALTER TABLE session ADD CONSTRAINT session_of_client_has_scopes CHECK ((client_id IS NULL) = (scopes IS NULL));
CREATE INDEX session_by_client ON session (client_id);

-- Beside each key that signs access tokens, one that signs id tokens; null until a server has made it.
ALTER TABLE signing_key ADD COLUMN id_key bytea;
