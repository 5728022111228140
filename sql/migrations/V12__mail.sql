-- Where an account's mail goes, and the links by which a password is set. Ordinary tables, on Citus of the coordinator, as
-- those of V9. docs/DATA.md explains them.

-- Not unique: one address may be that of a parent for several children.
ALTER TABLE account ADD COLUMN email text;
CREATE INDEX account_by_email ON account (lower(email));

-- One link. Of its token only the hash is here. `ended`: it was used, or something else made it useless.
CREATE TABLE password_reset (
    hash    bytea            PRIMARY KEY,
    account text COLLATE "C" NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    created timestamptz      NOT NULL,
    expires timestamptz      NOT NULL,
    ended   timestamptz
);
CREATE INDEX password_reset_by_account ON password_reset (account);
