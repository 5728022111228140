-- The system in the index: entries of a code in its system are counted, and passed over, without a look at the table.
CREATE INDEX search_token_by_token_and_system ON search_token (token, date, key) INCLUDE (system);
DROP INDEX search_token_by_token;
ALTER INDEX search_token_by_token_and_system RENAME TO search_token_by_token;
