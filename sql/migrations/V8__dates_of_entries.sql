-- The leading date of the resource on all entries, as tokens have it: what a name or a value finds is put into the order of
-- a page without a look at each resource. The smallest bigint where there is none.
ALTER TABLE search_string ADD COLUMN date bigint NOT NULL DEFAULT -9223372036854775808;

-- Columns that the planner has statistics of: of a comparison between two columns it takes a third of all rows to pass, and
-- leaves the index of the few that do.
ALTER TABLE search_date
    ADD COLUMN date bigint NOT NULL DEFAULT -9223372036854775808,
    ADD COLUMN is_long boolean NOT NULL GENERATED ALWAYS AS (high - low > 2764800000000) STORED;
CREATE INDEX search_date_by_long_span ON search_date (param, high) WHERE is_long;
DROP INDEX search_date_by_long;
ALTER INDEX search_date_by_long_span RENAME TO search_date_by_long;

ALTER TABLE search_number
    ADD COLUMN date bigint NOT NULL DEFAULT -9223372036854775808,
    ADD COLUMN is_range boolean NOT NULL GENERATED ALWAYS AS (low < high) STORED;
CREATE INDEX search_number_by_range_high ON search_number (param, high) WHERE is_range;
DROP INDEX search_number_by_range;
ALTER INDEX search_number_by_range_high RENAME TO search_number_by_range;

UPDATE search_string t SET date = r.date FROM resource r WHERE r.compartment = t.compartment AND r.key = t.key;
UPDATE search_date t SET date = r.date FROM resource r WHERE r.compartment = t.compartment AND r.key = t.key;
UPDATE search_number t SET date = r.date FROM resource r WHERE r.compartment = t.compartment AND r.key = t.key;
