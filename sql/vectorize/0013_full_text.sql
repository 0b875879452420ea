-- Full text beside the vectors; and functions that take other arguments now.
SET LOCAL ROLE vectorize_owner;
SET LOCAL lock_timeout = '2s';  -- of workers alone; the upgrade is tried again

-- The language of the texts: the name of a text search configuration as the definition has it.
ALTER TABLE vectorize.job ADD COLUMN full_text text;

DROP FUNCTION IF EXISTS vectorize.index_name(vectorize.job, oid);
DROP FUNCTION IF EXISTS vectorize.target_indexes(vectorize.job, oid);
DROP FUNCTION IF EXISTS vectorize.index_statement(vectorize.job, oid, text, text);
DROP FUNCTION IF EXISTS vectorize.partition_index_statements(vectorize.job);

RESET ROLE;
