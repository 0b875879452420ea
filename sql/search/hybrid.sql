-- Search by meaning and by words at once. With the caller's own rights, writing nothing, like vectorize.search.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- The half of the nearest vectors as a common table expression; vector_half has the key's columns, `distance`, and `n`, the rank.
CREATE OR REPLACE FUNCTION vectorize.vector_half(plan jsonb, condition text, exact boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    -- The sums are those of vectorize.search_statement.
    SELECT format($x$
        vector_half AS (
            SELECT %1$s, h.vectorize_distance AS distance, row_number() OVER (ORDER BY h.vectorize_distance + 0, %1$s) AS n
            FROM (SELECT %2$s, %3$s AS vectorize_distance FROM %4$s WHERE %5$s IS NOT NULL%6$s ORDER BY %7$s LIMIT $3) AS h
        )$x$,
        plan ->> 'names', plan ->> 'keys', plan ->> 'distance', plan ->> 'tables', plan ->> 'vector', condition,
        CASE WHEN exact THEN format('(%s) + 0', plan ->> 'distance') ELSE plan ->> 'distance' END)
$$;

-- The statement of a hybrid search: reciprocal rank fusion, in which a row gets weight / (60 + rank) from each half that found it.
-- 60 is the constant of Cormack, Clarke and Büttcher (SIGIR 2009): the first ranks count for more, and not for everything.
-- Equal scores go by the rank of the vectors, then of the words, then by key. A half that is not asked for is NULL.
--
-- $1 the query's vector, $2 how many rows to return, $3 how many of each half, $4 and $5 the halves' weights, $6 to $8 the query's words
-- (words_of_query), $9 the query, $10 how many rows of the fusion to look at, $11 the model that ranks.
CREATE OR REPLACE FUNCTION vectorize.hybrid_statement(plan jsonb, vector_half text, text_half text, snippet text, ranking text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format($x$
        WITH %1$s,
        fused AS (
            SELECT %2$s, sum(h.weight / (60 + h.n)) AS score, min(h.distance) AS distance, min(h.vector_rank) AS vector_rank, min(h.text_score) AS text_score, min(h.text_rank) AS text_rank
            FROM (%3$s) AS h GROUP BY %2$s ORDER BY score DESC, vector_rank, text_rank, %2$s LIMIT $10
        ),
        found AS MATERIALIZED (
            SELECT row_number() OVER (ORDER BY f.score DESC, f.vector_rank, f.text_rank, %2$s)::integer AS place, %4$s AS key, f.score, %5$s AS content, %6$s AS chunk,
                   f.distance, f.vector_rank::integer, f.text_score, f.text_rank::integer
            FROM fused AS f, %7$s WHERE %8$s
        )
        SELECT r.key, r.score, r.content, r.chunk, r.distance, r.vector_rank, r.text_score, r.text_rank, %9$s, %10$s LIMIT $2$x$,
        concat_ws(',', vector_half, text_half), plan ->> 'names',
        concat_ws(' UNION ALL ',
            CASE WHEN vector_half IS NOT NULL THEN
                'SELECT v.*, $4 AS weight, v.n AS vector_rank, NULL::float8 AS text_score, NULL::bigint AS text_rank FROM vector_half AS v' END,
            CASE WHEN text_half IS NOT NULL THEN
                format('SELECT %s, NULL::float8 AS distance, t.n, $5 AS weight, NULL::bigint AS vector_rank, t.score AS text_score, t.n AS text_rank FROM text_half AS t', plan ->> 'names') END),
        plan ->> 'key', plan ->> 'content', plan ->> 'chunk', plan ->> 'rows', plan ->> 'same_key', snippet, ranking)
$$;

-- The end of the statement: in the order of the fusion, or of azure_ai.rank. Numbers name the texts, since without them it is unclear
-- whether counting begins at 0; columns go by their place, since their names differ between pages of its documentation.
CREATE OR REPLACE FUNCTION vectorize.hybrid_ranking(rerank boolean, model text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN rerank THEN format($x$o.score::float8 FROM found AS r LEFT JOIN (
            SELECT a.* FROM (SELECT array_agg(coalesce(x.content, '') ORDER BY x.place) AS texts, array_agg(x.place ORDER BY x.place) AS ids FROM found AS x HAVING count(*) > 0) AS t,
                azure_ai.rank($9, t.texts, t.ids%s) AS a (id, rank, score)
        ) AS o ON o.id = r.place ORDER BY o.rank, r.place$x$, CASE WHEN model IS NOT NULL THEN ', $11' END)
    ELSE 'NULL::float8 FROM found AS r ORDER BY r.place' END
$$;

-- Where the words of a query are in a text, each between « and »; the text's beginning where none is. It is plain text as the row has
-- it, so a page escapes it like any other; only such marks of its own are made others.
CREATE OR REPLACE FUNCTION vectorize.snippet(configuration text, content text, words tsquery[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT ts_headline(configuration::regconfig, translate(left(content, 65536), '«»', '‹›'),
        coalesce((SELECT string_agg(w::text, ' | ') FROM unnest(words) AS w), '')::tsquery,
        'StartSel=«, StopSel=», MaxFragments=2, MaxWords=30, MinWords=12, FragmentDelimiter=" … "')
$$;

-- The text search configuration of a search, with its schema: what is asked for, else the job's, else the one that knows no language.
CREATE OR REPLACE FUNCTION vectorize.search_language(plan jsonb, language text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    configuration text := vectorize.text_configuration(coalesce(language, plan ->> 'language', 'simple'));
BEGIN
    IF configuration IS NULL THEN
        RAISE EXCEPTION 'language: there is no text search configuration %', coalesce(language, plan ->> 'language')
            USING ERRCODE = 'undefined_object', HINT = 'There are ' || vectorize.text_configurations() || '.';
    END IF;
    RETURN configuration;
END
$$;

-- The `k` best rows by meaning and by words, best first. Each half gives its `candidates`, five times `k` and 50 at least unless
-- told otherwise, which count by their rank and the half's weight; a half of weight 0 is not asked at all. `rerank` lets
-- azure_ai.rank order the candidates of the fusion.
CREATE OR REPLACE FUNCTION vectorize.hybrid_search(
    job text, query text, k integer DEFAULT 10, filter jsonb DEFAULT NULL, vector_weight float8 DEFAULT 1, text_weight float8 DEFAULT 1, language text DEFAULT NULL,
    candidates integer DEFAULT NULL, exact boolean DEFAULT false, snippets boolean DEFAULT false, rerank boolean DEFAULT false, rerank_model text DEFAULT NULL
) RETURNS TABLE (
    key jsonb, score float8, content text, chunk integer, distance float8, vector_rank integer, text_score float8, text_rank integer, snippet text, rerank_score float8
)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres'
SET bytea_output = 'hex' SET extra_float_digits = 1 SET lc_monetary = 'C' AS $$
#variable_conflict use_variable
DECLARE
    plan jsonb := vectorize.search_plan(job);
    most integer := coalesce(candidates, least(10000, greatest(50, 5 * k)));
    configuration text := vectorize.search_language(plan, language);
    condition text := ' AND ' || vectorize.filter_condition((plan ->> 'filtered')::oid, plan ->> 'alias', filter);
    asked record;
    embedding real[];
    vectors text;
    texts text;
    settings jsonb := '{}';
BEGIN
    PERFORM vectorize.check_count('k', k);
    PERFORM vectorize.check_count('candidates', most);
    IF (vector_weight >= 0 AND text_weight >= 0 AND vector_weight + text_weight BETWEEN 1e-6 AND 1e6) IS NOT TRUE THEN
        RAISE EXCEPTION 'vector_weight and text_weight: % and % are not two numbers from 0 on, one of them more', vector_weight, text_weight
            USING ERRCODE = 'invalid_parameter_value';
    ELSIF query IS NULL OR query !~ '\S' THEN
        RAISE EXCEPTION 'the query is empty' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    asked := vectorize.words_of_query(configuration, query);
    IF text_weight > 0 AND cardinality(asked.words) > 0 THEN
        -- Row security lets no index be asked before it: PostgreSQL does not know that @@ tells nothing of a row.
        texts := vectorize.text_half(plan, condition, configuration, (plan ->> 'words_index')::boolean
            AND configuration = vectorize.text_configuration(plan ->> 'language') AND NOT row_security_active((plan ->> 'source')::oid));
    END IF;
    IF vector_weight > 0 THEN
        embedding := vectorize.query_embedding(plan, query);
        vectors := vectorize.vector_half(plan, condition, exact);
        settings := vectorize.widen_scans(plan, most);
    END IF;
    IF coalesce(vectors, texts) IS NOT NULL THEN
        RETURN QUERY EXECUTE vectorize.hybrid_statement(plan, vectors, texts,
                CASE WHEN snippets THEN format('vectorize.snippet(%L, r.content, $7)', configuration) ELSE 'NULL::text' END, vectorize.hybrid_ranking(rerank, rerank_model))
            USING embedding, k, most, vector_weight, text_weight, asked.whole, asked.words, asked.excluded, query, CASE WHEN rerank THEN greatest(k, most) ELSE k END, rerank_model;
    END IF;
    IF NOT FOUND OR coalesce(vectors, texts) IS NULL THEN
        RAISE NOTICE 'job %: nothing found: no row has a vector yet or the words, or none that % may see and the filter lets through', plan ->> 'job', current_user;
    END IF;
    PERFORM set_config(was.key, was.value, true) FROM jsonb_each_text(settings) AS was;
END
$$;

RESET ROLE;
