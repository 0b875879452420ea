-- The splitter: a row's text becomes rows of the chunk table, and what does not change there keeps its vector.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- The body of a splitter's `write` function (generate_access.sql). A chunk with the same content as one that is there is that
-- one, wherever it stands now: its row stays, and nothing is embedded again.
CREATE OR REPLACE FUNCTION vectorize.chunk_writer() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT $x$BEGIN
        WITH b AS MATERIALIZED (
            SELECT * FROM ROWS FROM ({unnested}, pg_catalog.unnest(vectorize_vectors)) WITH ORDINALITY AS b ({k}, pieces, ord)
        ), wanted AS MATERIALIZED (
            SELECT b.ord, e.chunk::integer, e.content COLLATE "C" AS content, row_number() OVER (PARTITION BY b.ord, e.content COLLATE "C" ORDER BY e.chunk) AS nth
            FROM b, jsonb_array_elements_text(coalesce(b.pieces, '[]')) WITH ORDINALITY AS e (content, chunk)
        ), had AS MATERIALIZED (
            SELECT b.ord, s.chunk_id, s.chunk, s.content, row_number() OVER (PARTITION BY b.ord, s.content ORDER BY s.chunk) AS nth
            FROM b JOIN {target} AS s ON {match}
        ), gone AS (
            DELETE FROM {target} AS t USING had WHERE t.chunk_id = had.chunk_id
                AND NOT EXISTS (SELECT FROM wanted AS w WHERE w.ord = had.ord AND w.nth = had.nth AND w.content = had.content)
        ), moved AS (
            UPDATE {target} AS t SET chunk = w.chunk FROM wanted AS w JOIN had ON had.ord = w.ord AND had.nth = w.nth AND had.content = w.content
            WHERE t.chunk_id = had.chunk_id AND t.chunk <> w.chunk
        )
        INSERT INTO {target} ({names}, chunk, content)
            SELECT {k}, w.chunk, w.content FROM wanted AS w JOIN b ON b.ord = w.ord
            WHERE NOT EXISTS (SELECT FROM had WHERE had.ord = w.ord AND had.nth = w.nth AND had.content = w.content)
            ORDER BY w.ord, w.chunk;
        SET CONSTRAINTS ALL IMMEDIATE;
        RETURN true;
    END$x$
$$;

RESET ROLE;
