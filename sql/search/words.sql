-- The full text half of a hybrid search: rows by the words of their texts.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- What a plan says of a job's words, and of the key by which the two halves of a search meet. Of chunks, that is the chunk's id.
CREATE OR REPLACE FUNCTION vectorize.words_plan(j vectorize.job) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object(
        'source', j.source::oid, 'source_name', vectorize.table_name(j.source), 'row_count', vectorize.table_rows(j.source), 'template', j.template,
        'language', j.full_text, 'words_index', vectorize.one_index_state(j, 'text') = 'ready',
        'keys', (SELECT string_agg(format('s.%I AS vectorize_k%s', k.name, k.ord), ', ' ORDER BY k.ord) FROM unnest(j.key_columns) WITH ORDINALITY AS k (name, ord)),
        'names', vectorize.key_list(cardinality(j.key_columns), 'vectorize_k%s'),
        'same_key', vectorize.key_match(j, 's.{name}', 'f.vectorize_k{n}'))
$$;

-- A query as people type it into a search engine: words, "a phrase", `or`, -not. `whole` is all of it; `words` are those that are asked
-- for, as queries of one word each; `excluded` any of those that are not wanted. No text of a query is an error. The first 2,000
-- characters and 32 words count.
CREATE OR REPLACE FUNCTION vectorize.words_of_query(configuration text, query text, OUT whole tsquery, OUT words tsquery[], OUT excluded tsquery)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    quoted constant text := $x$'(?:[^']|'')+'$x$;  -- a word as PostgreSQL shows it
BEGIN
    BEGIN
        whole := websearch_to_tsquery(configuration::regconfig, left(query, 2000));
    EXCEPTION WHEN internal_error THEN  -- "tsquery stack too small": of 32 minus signs in a row
        whole := plainto_tsquery(configuration::regconfig, left(query, 2000));
    END;
    words := ARRAY(SELECT w.word::tsquery FROM (
        SELECT f.word[1] AS word, min(f.ord) AS ord FROM regexp_matches(querytree(whole), quoted, 'g') WITH ORDINALITY AS f (word, ord) GROUP BY 1 ORDER BY 2 LIMIT 32) AS w ORDER BY w.ord);
    excluded := (SELECT string_agg(w.word, ' | ')::tsquery FROM (
        SELECT f.word[1] AS word FROM regexp_matches(whole::text, quoted, 'g') AS f (word)
        EXCEPT SELECT f.word[1] FROM regexp_matches(querytree(whole), quoted, 'g') AS f (word)) AS w);
END
$$;

-- The half as common table expressions; text_half has the key's columns, `score`, and `n`, the rank. Parameters: $3 how many, $6 to $8 the
-- query (words_of_query).
--
-- A row that has all that was asked for comes before one that has some of the words, which counts as found when it has a third of their
-- weight, words that no row has left aside. A word weighs the more, the fewer rows have it, as in BM25; ts_rank sees to it that a second
-- occurrence counts less than the first, and the same in a longer text.
--
-- With an index, rows are looked up by words that at most 1,000 rows have, and by all words together, of which 5,000 rows are ranked:
-- the words of a row found are made again for its rank, and common words would find half the table.
CREATE OR REPLACE FUNCTION vectorize.text_half(plan jsonb, condition text, configuration text, indexed boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format($x$
        terms AS MATERIALIZED (SELECT t.word, t.ord, %7$s AS known FROM unnest($7) WITH ORDINALITY AS t (word, ord)),
        wanted AS MATERIALIZED (
            SELECT CASE WHEN $8 IS NULL THEN q.either ELSE q.either && !! $8 END AS query
            FROM (SELECT $6 || coalesce((string_agg(t.word::text, ' | ') FILTER (WHERE t.known IS NULL OR t.known <= 1000))::tsquery, $6) AS either FROM terms AS t) AS q
        ),
        matches AS MATERIALIZED (
            SELECT %1$s, %2$s AS words FROM %3$s WHERE %2$s OPERATOR(pg_catalog.@@) (SELECT w.query FROM wanted AS w)%4$s LIMIT %6$s
        ),
        weights AS MATERIALIZED (
            SELECT t.word, ln(1 + greatest(%8$s, c.rows) / greatest(c.rows, 1)) AS weight, c.rows > 0 AS seen
            FROM terms AS t, LATERAL (SELECT coalesce(t.known, (SELECT count(*) FROM matches AS m WHERE m.words OPERATOR(pg_catalog.@@) t.word))::float8 AS rows) AS c
            ORDER BY t.ord
        ),
        text_half AS (
            SELECT %5$s, r.score, row_number() OVER (ORDER BY r.has_all DESC, r.score DESC, %5$s) AS n
            FROM matches AS m, LATERAL (
                SELECT m.words OPERATOR(pg_catalog.@@) $6 AS has_all, sum(w.weight * ts_rank(m.words, w.word, 1)) AS score,
                       sum(w.weight) FILTER (WHERE m.words OPERATOR(pg_catalog.@@) w.word) AS found, sum(w.weight) FILTER (WHERE w.seen) AS asked
                FROM weights AS w) AS r
            WHERE r.has_all OR r.found >= r.asked / 3
            ORDER BY n LIMIT $3
        )$x$,
        plan ->> 'keys', w.expression, plan ->> 'rows', condition, plan ->> 'names', CASE WHEN indexed THEN '5000' ELSE 'ALL' END,
        CASE WHEN indexed THEN format('(SELECT count(*) FROM (SELECT FROM %s AS s WHERE %s OPERATOR(pg_catalog.@@) t.word LIMIT 1001) AS c)', plan ->> 'source_name', w.expression)
             ELSE 'NULL::bigint' END,
        plan ->> 'row_count')
    FROM (SELECT vectorize.words_expression(plan ->> 'template', (plan ->> 'source')::oid, 's.', configuration) AS expression) AS w
$$;

RESET ROLE;
