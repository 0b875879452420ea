-- Searches without filters, as they were called before. Another signature is another function to PostgreSQL, and two of one name
-- make a call ambiguous.
SET LOCAL ROLE vectorize_owner;

DROP FUNCTION IF EXISTS vectorize.search(text, text, integer);
DROP FUNCTION IF EXISTS vectorize.search_plan(text);

RESET ROLE;
