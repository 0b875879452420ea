-- Semantic search over a job's vectors. Every function here but search_plan runs with the caller's own rights and writes nothing,
-- so row security and deletes of the source hold, and a read replica can search.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- What a search needs to know about a job: how its query is embedded, and the pieces of its statement, in which $1 is the
-- query's vector. From the definition only; no row is read here. A search reads it once, so that a generation that becomes
-- current meanwhile is not asked for the vector of another one.
CREATE OR REPLACE FUNCTION vectorize.search_plan(job text) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job := vectorize.job_named(search_plan.job);
    rows_of vectorize.job := j;  -- whose keys name the rows that are found: those of the table, not of its chunks
    chunked boolean := j.source <> j.declared_source;
    d vectorize.deployment;
    vectors text := vectorize.vector_schema();
    vector text := format('%s.%I', CASE j.target WHEN 'column' THEN 's' ELSE 'v' END, j.target_column);
    tables text := vectorize.table_name(j.source) || ' AS s';
    rows_alone text;
    texts text[] := vectorize.template_columns(j.template);
    complete boolean;
BEGIN
    IF NOT vectorize.embeds(j) THEN
        RAISE EXCEPTION 'job %: its operation is %, which makes no vectors to search by', j.name, j.operation USING ERRCODE = 'wrong_object_type',
            HINT = format('Its values are in %s: query them with SQL. Jobs with vectors: %s', vectorize.place(j),
                coalesce((SELECT string_agg(DISTINCT o.name, ', ' ORDER BY o.name) FROM vectorize.job AS o WHERE vectorize.embeds(o) AND o.state <> 'removed'), 'none'));
    END IF;
    SELECT * INTO d FROM vectorize.deployment AS o WHERE o.name = j.deployment;
    IF chunked THEN
        SELECT * INTO rows_of FROM vectorize.job AS o WHERE o.name = j.name AND o.operation = 'split';
        -- Row security, deletes and filters are the table's own.
        tables := format('%s JOIN %s AS o ON %s', tables, vectorize.table_name(j.declared_source), vectorize.key_match(rows_of, 's.{name}', 'o.{name}'));
    END IF;
    IF NOT vectorize.has_columns(rows_of.source, rows_of.key_columns) OR NOT vectorize.has_columns(j.target_table, ARRAY[j.target_column]) THEN
        RAISE EXCEPTION 'job %: its table, its key or its vectors are gone', j.name USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'vectorize.status says what happened; define the job again.';
    END IF;
    complete := vectorize.has_columns(j.source, texts);  -- without a column of the template, rows are found still
    rows_alone := tables;
    IF j.target = 'table' THEN
        tables := format('%s AS v JOIN %s ON %s', vectorize.table_name(j.target_table), tables, vectorize.key_match(j, 'v.{name}', 's.{name}'));
    END IF;
    RETURN jsonb_build_object(
        'job', j.name, 'deployment', d.name, 'model', d.model, 'dimensions', j.dimensions,
        'asked_dimensions', CASE WHEN j.dimensions < d.dimensions THEN j.dimensions END,
        'lists', CASE WHEN j.index_method = 'ivfflat' THEN coalesce((j.index_options ->> 'lists')::integer, 100) END,
        'tables', tables, 'filtered', j.declared_source::oid, 'alias', CASE WHEN chunked THEN 'o' ELSE 's' END, 'vector', vector, 'vector_schema', vectors,
        'columns', (SELECT string_agg(DISTINCT format('s.%I', c), ', ') FROM unnest(rows_of.key_columns || CASE WHEN complete THEN texts END || CASE WHEN chunked THEN '{chunk}'::text[] END) AS c),
        'distance', format('%s OPERATOR(%s.%s) $1::%2$s.%4$I(%5$s)', vector, vectors,
            CASE j.distance WHEN 'cosine' THEN '<=>' WHEN 'l2' THEN '<->' ELSE '<#>' END, j.type, j.dimensions),
        'key', vectorize.key_json(rows_of, 's.{name}'),
        'content', CASE WHEN complete THEN vectorize.template_expression(j.template, j.source, 's') ELSE 'NULL::text' END,
        'chunk', CASE WHEN chunked THEN 's.chunk' ELSE 'NULL::integer' END,
        'rows', rows_alone) || vectorize.words_plan(j);
END
$$;

CREATE OR REPLACE FUNCTION vectorize.has_columns(relation oid, names text[]) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) = cardinality(names) FROM pg_attribute AS a
    WHERE a.attrelid = relation AND a.attname = ANY (names) AND a.attnum > 0 AND NOT a.attisdropped
$$;

-- The statement of a search: $1 the query's vector, $2 how many. The limit stands beside the source's own conditions, so rows that
-- are filtered out, hidden or gone do not use it up; keys and texts are put together outside, for the rows found only.
CREATE OR REPLACE FUNCTION vectorize.search_statement(plan jsonb, filter jsonb, exact boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('SELECT %s, vectorize_distance, %s, %s FROM (SELECT %s, %s AS vectorize_distance FROM %s WHERE %s IS NOT NULL%s ORDER BY %s LIMIT $2) AS s '
        -- An iterative scan gives rows nearly in order only, and without the sum the planner takes them as sorted.
        'ORDER BY vectorize_distance + 0',
        plan ->> 'key', plan ->> 'content', plan ->> 'chunk', plan ->> 'columns', plan ->> 'distance', plan ->> 'tables', plan ->> 'vector',
        ' AND ' || vectorize.filter_condition((plan ->> 'filtered')::oid, plan ->> 'alias', filter),
        -- No index knows the order of this sum, and all others may serve the filter: exact.
        CASE WHEN exact THEN format('(%s) + 0', plan ->> 'distance') ELSE plan ->> 'distance' END)
$$;

-- Runs a plan. Settings of pgvector that make an index give as many rows as are asked for hold for the one statement.
CREATE OR REPLACE FUNCTION vectorize.nearest(plan jsonb, embedding real[], k integer, filter jsonb, exact boolean)
RETURNS TABLE (key jsonb, distance float8, content text, chunk integer)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET timezone = 'UTC' SET datestyle = 'ISO, YMD' SET intervalstyle = 'postgres'
SET bytea_output = 'hex' SET extra_float_digits = 1 SET lc_monetary = 'C' AS $$
DECLARE
    settings jsonb;
BEGIN
    PERFORM vectorize.check_count('k', k);
    IF cardinality(embedding) IS DISTINCT FROM (plan ->> 'dimensions')::integer THEN
        RAISE EXCEPTION 'job %: its vectors have % dimensions, and the query''s has %', plan ->> 'job', plan ->> 'dimensions', coalesce(cardinality(embedding), 0)
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    settings := vectorize.widen_scans(plan, k);
    RETURN QUERY EXECUTE vectorize.search_statement(plan, filter, exact) USING embedding, k;
    IF NOT FOUND THEN
        RAISE NOTICE 'job %: nothing found: no row has a vector yet, or none that % may see and the filter lets through', plan ->> 'job', current_user;
    END IF;
    PERFORM set_config(was.key, was.value, true) FROM jsonb_each_text(settings) AS was;
END
$$;

-- Lets scans of a vector index give as many rows as are asked for, and returns the settings as they were.
CREATE OR REPLACE FUNCTION vectorize.widen_scans(plan jsonb, k integer) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s record;
    were jsonb := '{}';
BEGIN
    EXECUTE format('SELECT ''[1]''::%s.vector', plan ->> 'vector_schema');  -- loads pgvector, whose settings are not there before
    FOR s IN
        SELECT c.name, c.has, c.needs FROM (
            SELECT n.name, current_setting(n.name, true) AS has, CASE n.name
                -- HNSW gives no more rows at a time than ef_search; both go on from there where pgvector can (0.8).
                WHEN 'hnsw.ef_search' THEN greatest(current_setting(n.name, true)::integer, least(1000, 2 * k))::text
                WHEN 'ivfflat.probes' THEN greatest(current_setting(n.name, true)::integer, ceil(sqrt((plan ->> 'lists')::integer)))::text
                ELSE replace(current_setting(n.name, true), 'off', 'relaxed_order') END AS needs
            FROM unnest('{hnsw.ef_search,ivfflat.probes,hnsw.iterative_scan,ivfflat.iterative_scan}'::text[]) AS n (name)) AS c
        WHERE c.has <> c.needs
    LOOP
        were := were || jsonb_build_object(s.name, s.has);
        PERFORM set_config(s.name, s.needs, true);
    END LOOP;
    RETURN were;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.check_count(name text, count integer) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF (count BETWEEN 1 AND 10000) IS NOT TRUE THEN
        RAISE EXCEPTION '%: % is not a whole number from 1 to 10000', name, coalesce(count::text, 'NULL') USING ERRCODE = 'invalid_parameter_value';
    END IF;
END
$$;

-- The `k` rows nearest to the query, nearest first, with the text that was embedded. `filter` is an object of conditions on the
-- source's columns (filter.sql); `exact` looks at every row that passes it and at no vector index.
CREATE OR REPLACE FUNCTION vectorize.search(job text, query text, k integer DEFAULT 10, filter jsonb DEFAULT NULL, exact boolean DEFAULT false)
RETURNS TABLE (key jsonb, distance float8, content text, chunk integer)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    plan jsonb := vectorize.search_plan(job);
BEGIN
    RETURN QUERY SELECT * FROM vectorize.nearest(plan, vectorize.query_embedding(plan, query), k, filter, exact);
END
$$;

-- The same by a vector that the caller has: of an earlier query (vectorize.embed_query), or of a row, for rows like it.
-- Of float8, which is what drivers make of a list of numbers.
CREATE OR REPLACE FUNCTION vectorize.search_by(job text, embedding float8[], k integer DEFAULT 10, filter jsonb DEFAULT NULL, exact boolean DEFAULT false)
RETURNS TABLE (key jsonb, distance float8, content text, chunk integer)
LANGUAGE sql SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM vectorize.nearest(vectorize.search_plan(job), embedding::real[], k, filter, exact)
$$;

RESET ROLE;
