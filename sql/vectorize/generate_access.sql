-- What a job does with the user's own tables, as functions that belong to the owner of the source and run as it. So a trigger
-- or a policy on the source never runs with the engine's rights, and, inside SECURITY DEFINER, cannot take another role's.
-- They are made by `define`, whose caller can act as that owner; afterwards only the engine's owner may call them.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other


-- The pieces that they share.
CREATE OR REPLACE FUNCTION vectorize.access_parts(j vectorize.job) RETURNS TABLE (mark text, value text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT * FROM (VALUES
        ('{source}', vectorize.table_name(j.source)),
        ('{target}', vectorize.table_name(j.target_table)),
        ('{column}', quote_ident(j.target_column)),
        ('{unnested}', vectorize.key_list(cardinality(j.key_columns), 'pg_catalog.unnest(vectorize_a%s)')),
        ('{k}', vectorize.key_list(cardinality(j.key_columns), 'k%s')),
        -- Without the domain, if it is one: what a function returns has the type that it declares.
        ('{values}', (SELECT string_agg(format('CAST(s.%I AS %s)', c, t), ', ' ORDER BY ord) FROM unnest(j.key_columns, j.key_types) WITH ORDINALITY AS x (c, t, ord))),
        ('{s}', (SELECT string_agg(format('s.%I', c), ', ' ORDER BY ord) FROM unnest(j.key_columns) WITH ORDINALITY AS x (c, ord))),
        ('{names}', (SELECT string_agg(quote_ident(c), ', ' ORDER BY ord) FROM unnest(j.key_columns) WITH ORDINALITY AS x (c, ord))),
        ('{match}', vectorize.key_match(j, 's.{name}', 'b.k{n}')),
        ('{after}', vectorize.key_after(j, 's.{name}', 'vectorize_a{n}')),
        -- OFFSET keeps the planner from reading the whole target into a hash table, which looks cheap while it is empty.
        ('{stored}', CASE WHEN vectorize.in_graph(j) THEN format('EXISTS (SELECT FROM %s AS m JOIN %s AS t ON t.id OPERATOR(ag_catalog.=) m.id WHERE %s OFFSET 0)',
                vectorize.label_key_name(j.arguments ->> 'graph', j.arguments ->> 'label'), vectorize.table_name(j.target_table), vectorize.key_match(j, 'm.k{n}', 's.{name}'))
            WHEN j.target = 'column' THEN format('s.%I IS NOT NULL', j.target_column)
            ELSE format('EXISTS (SELECT FROM %s AS t WHERE %s OFFSET 0)', vectorize.table_name(j.target_table),
                        vectorize.key_match(j, 't.{name}', 's.{name}')) END),
        ('{as stored}', vectorize.stored_value(j, 'b.carried')),
        ('{value}', CASE WHEN vectorize.embeds(j) THEN 'vector' ELSE 'value' END),
        -- Last: a template may hold the words above.
        ('{text}', vectorize.read_text(j, 's'))) AS p (mark, value)
$$;

-- The arguments and results of the functions below, made of the key's types; or arguments of a call: where one has no type, somebody
-- else's function could be preferred.
CREATE OR REPLACE FUNCTION vectorize.typed_keys(j vectorize.job, pattern text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(format(pattern, ord, t), ', ' ORDER BY ord) FROM unnest(j.key_types) WITH ORDINALITY AS x (t, ord)
$$;

-- read:   the present text of rows named by key; a row that is gone is left out.
-- scan:   the next rows by key, for sweeps.
-- sample: a share of all rows, for estimates.
-- lock:   like read, and locked for the value that follows; rows that somebody else holds are left out, not waited for.
-- write:  the values (operation.sql), NULL for rows that have none. What a constraint or a trigger puts off would run at the worker's
--         commit, with the worker's rights and outside its EXCEPTION block; so it runs here. Of a graph it is a step of the engine.
CREATE OR REPLACE FUNCTION vectorize.access_functions(j vectorize.job) RETURNS TABLE (name text, arguments text, returns text, body text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH typed AS (
        SELECT vectorize.typed_keys(j, 'vectorize_a%s %s[]') AS arrays, vectorize.typed_keys(j, 'vectorize_a%s %s') AS after,
               vectorize.typed_keys(j, 'k%s %s') AS keys
    )
    SELECT f.* FROM typed, LATERAL (VALUES
        ('read', arrays, 'TABLE (ord bigint, content text, stored boolean)', $x$BEGIN
            RETURN QUERY SELECT b.ord, {text}, {stored} FROM ROWS FROM ({unnested}) WITH ORDINALITY AS b ({k}, ord) JOIN {source} AS s ON {match};
        END$x$),
        ('scan', after || ', vectorize_most integer, vectorize_texts boolean', format('TABLE (%s, content text, stored boolean)', keys), $x$BEGIN
            IF vectorize_a1 IS NULL THEN
                RETURN QUERY SELECT {values}, CASE WHEN vectorize_texts THEN {text} END, CASE WHEN vectorize_texts THEN {stored} END
                    FROM {source} AS s ORDER BY {s} LIMIT vectorize_most;
            ELSE
                RETURN QUERY SELECT {values}, CASE WHEN vectorize_texts THEN {text} END, CASE WHEN vectorize_texts THEN {stored} END
                    FROM {source} AS s WHERE {after} ORDER BY {s} LIMIT vectorize_most;
            END IF;
        END$x$),
        ('sample', 'vectorize_percent real', format('TABLE (%s, content text, stored boolean)', keys), $x$BEGIN
            IF vectorize_percent >= 100 THEN
                RETURN QUERY SELECT {values}, {text}, {stored} FROM {source} AS s;
            ELSE
                RETURN QUERY SELECT {values}, {text}, {stored} FROM {source} AS s TABLESAMPLE SYSTEM (vectorize_percent);
            END IF;
        END$x$),
        ('lock', arrays, 'TABLE (ord bigint, content text, stored boolean)', CASE j.target WHEN 'column' THEN $x$BEGIN
            RETURN QUERY SELECT b.ord, {text}, {stored} FROM ROWS FROM ({unnested}) WITH ORDINALITY AS b ({k}, ord) JOIN {source} AS s ON {match}
                FOR NO KEY UPDATE OF s SKIP LOCKED;
        END$x$ END),
        ('write', arrays || format(', vectorize_vectors %s[]', vectorize.carried_type(j)), 'boolean', CASE WHEN NOT vectorize.in_graph(j) THEN vectorize.writer(j) END)
    ) AS f (name, arguments, returns, body) WHERE f.body IS NOT NULL
$$;

-- The body of `write`; what it stores of a value is in the mark {as stored}.
CREATE OR REPLACE FUNCTION vectorize.writer(j vectorize.job) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN j.operation = 'split' THEN vectorize.chunk_writer() WHEN j.target = 'column' THEN $x$DECLARE
            vectorize_filled bigint;
        BEGIN
            WITH written AS (
                UPDATE {source} AS s SET {column} = {as stored}
                FROM ROWS FROM ({unnested}, pg_catalog.unnest(vectorize_vectors)) AS b ({k}, carried)
                WHERE {match} AND (b.carried IS NOT NULL OR s.{column} IS NOT NULL) RETURNING b.carried IS NOT NULL AS filled
            )
            SELECT pg_catalog.count(*) INTO vectorize_filled FROM written AS w WHERE w.filled;
            IF vectorize_filled <> pg_catalog.cardinality(vectorize_vectors) - pg_catalog.cardinality(pg_catalog.array_positions(vectorize_vectors, NULL)) THEN
                RAISE EXCEPTION 'a trigger or a policy of the table kept the {value} from being written';
            END IF;
            SET CONSTRAINTS ALL IMMEDIATE;
            RETURN true;
        END$x$ ELSE $x$BEGIN
            INSERT INTO {target} ({names}, {column})
                SELECT {k}, {as stored} FROM ROWS FROM ({unnested}, pg_catalog.unnest(vectorize_vectors)) AS b ({k}, carried) WHERE b.carried IS NOT NULL ORDER BY {k}
                ON CONFLICT ({names}) DO UPDATE SET {column} = excluded.{column};
            IF pg_catalog.array_ndims(pg_catalog.array_positions(vectorize_vectors, NULL)) > 0 THEN
                DELETE FROM {target} AS s USING ROWS FROM ({unnested}, pg_catalog.unnest(vectorize_vectors)) AS b ({k}, carried) WHERE b.carried IS NULL AND {match};
            END IF;
            SET CONSTRAINTS ALL IMMEDIATE;
            RETURN true;
        END$x$ END
$$;

-- The search path of these functions: the catalog and the key's own types; for `write` what the user's triggers expect, as in
-- the owner's sessions.
CREATE OR REPLACE FUNCTION vectorize.access_path(j vectorize.job, function_name text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN function_name = 'write' THEN format('"$user", %s, public, pg_temp', quote_ident(n.nspname))
        ELSE 'pg_catalog, ' || coalesce((
            SELECT string_agg(DISTINCT quote_ident(tn.nspname), ', ')
            FROM pg_attribute AS a JOIN pg_type AS t ON t.oid = vectorize.base_type(a.atttypid) JOIN pg_namespace AS tn ON tn.oid = t.typnamespace
            WHERE a.attrelid = j.source AND a.attname = ANY (j.key_columns) AND tn.nspname <> 'pg_catalog') || ', ', '') || 'pg_temp' END
    FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = j.source
$$;

-- The statements that make them; `define` runs these as the source's owner, who then owns the functions.
CREATE OR REPLACE FUNCTION vectorize.access_statements(j vectorize.job) RETURNS SETOF text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    f record;
    part record;
    body text;
BEGIN
    FOR f IN SELECT * FROM vectorize.access_functions(j) LOOP
        -- A filter names columns of the source, which may be called like a result.
        body := format(E'#variable_conflict %s\n', CASE WHEN vectorize.in_graph(j) THEN 'use_column' ELSE 'use_variable' END) || f.body;
        FOR part IN SELECT * FROM vectorize.access_parts(j) LOOP
            body := replace(body, part.mark, part.value);
        END LOOP;
        RETURN NEXT format('CREATE OR REPLACE FUNCTION vectorize_jobs.%s_%s(%s) RETURNS %s LANGUAGE plpgsql SECURITY DEFINER SET search_path = %s %s AS %L',
            f.name, j.id, f.arguments, f.returns, vectorize.access_path(j, f.name),
            CASE WHEN f.name = 'write' THEN '' ELSE vectorize.render_settings() END, body);
        RETURN NEXT format('REVOKE ALL ON FUNCTION vectorize_jobs.%s_%s FROM PUBLIC', f.name, j.id);
        RETURN NEXT format('GRANT EXECUTE ON FUNCTION vectorize_jobs.%s_%s TO vectorize_owner', f.name, j.id);
    END LOOP;
END
$$;

RESET ROLE;
