-- Full text: the words of each resource, for `_text` (its narrative) and `_content` (all of it). Written only by servers
-- with BRASA_FULL_TEXT=on; docs/DATA.md explains it.

CREATE TABLE search_text (
    key         bigint           NOT NULL,
    compartment text COLLATE "C" NOT NULL,
    narrative   tsvector         NOT NULL,
    content     tsvector         NOT NULL
);
CREATE INDEX search_text_by_narrative ON search_text USING gin (narrative);
CREATE INDEX search_text_by_content ON search_text USING gin (content);
CREATE INDEX search_text_by_key ON search_text (key);
