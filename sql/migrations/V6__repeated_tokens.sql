-- repeated: the resource has this token once before, as for one code in two systems. Without these rows the entries of a
-- token are as many as its resources, so that they can be counted by an index alone.
ALTER TABLE search_token ADD COLUMN repeated boolean NOT NULL DEFAULT false;
CREATE INDEX search_token_repeated ON search_token (token) WHERE repeated;
