-- Tables of one job, in schema vectorize_jobs. The key's columns are k1, k2, ... with the source's own types: text would
-- change with TimeZone and the like, and two spellings of one key would be two items.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- "x.k1, x.k2" and the like: `pattern` once a key column, with its number for %s.
CREATE OR REPLACE FUNCTION vectorize.key_list(n integer, pattern text, separator text DEFAULT ', ') RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(replace(pattern, '%s', i::text), separator ORDER BY i) FROM generate_series(1, n) AS i
$$;

-- The condition that two expressions are one key; {name} and {n} stand for a key column's name and number.
CREATE OR REPLACE FUNCTION vectorize.key_match(j vectorize.job, left_side text, right_side text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(format('%s %s %s',
               replace(replace(left_side, '{name}', quote_ident(k.name)), '{n}', k.ord::text), j.key_operators[k.ord],
               replace(replace(right_side, '{name}', quote_ident(k.name)), '{n}', k.ord::text)), ' AND ' ORDER BY k.ord)
    FROM unnest(j.key_columns) WITH ORDINALITY AS k (name, ord)
$$;

-- The condition that one key comes after another in the order of their index. Operators have their schemas: by name alone a user
-- could put another one before them, and that of an extension's type would not be found.
CREATE OR REPLACE FUNCTION vectorize.key_after(j vectorize.job, left_side text, right_side text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH k AS (
        SELECT x.ord, x.operator AS equal, replace(x.operator, '.=)', '.>)') AS greater,
               replace(replace(left_side, '{name}', quote_ident(x.name)), '{n}', x.ord::text) AS l,
               replace(replace(right_side, '{name}', quote_ident(x.name)), '{n}', x.ord::text) AS r
        FROM unnest(j.key_columns, j.key_operators) WITH ORDINALITY AS x (name, operator, ord)
    )
    SELECT CASE WHEN bool_and(k.equal = 'OPERATOR(pg_catalog.=)')
        THEN format('ROW(%s) OPERATOR(pg_catalog.>) ROW(%s)', string_agg(k.l, ', ' ORDER BY k.ord), string_agg(k.r, ', ' ORDER BY k.ord))
        ELSE '(' || string_agg((SELECT coalesce(string_agg(format('%s %s %s AND ', b.l, b.equal, b.r), '' ORDER BY b.ord), '') FROM k AS b WHERE b.ord < k.ord)
                               || format('%s %s %s', k.l, k.greater, k.r), ' OR ' ORDER BY k.ord) || ')' END
    FROM k
$$;

-- The expression that shows a key as JSON; {name} and {n} as above. A type of a user's goes by its output function: to JSON it may
-- have a cast, which would run with the rights of whoever looks.
CREATE OR REPLACE FUNCTION vectorize.key_json(j vectorize.job, expression text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'pg_catalog.jsonb_build_object(' || string_agg(format('%L, %s', k.name,
        format(CASE WHEN to_regtype(k.type)::oid < 16384 THEN '%s' ELSE 'pg_catalog.concat(%s)' END,
               replace(replace(expression, '{name}', quote_ident(k.name)), '{n}', k.ord::text))), ', ' ORDER BY k.ord) || ')'
    FROM unnest(j.key_columns, j.key_types) WITH ORDINALITY AS k (name, type, ord)
$$;

-- change:  what triggers append, with no unique key, so that no writer ever waits for another or for a worker.
-- item:    what is queued, at most one a key; `version` names an item and moves on with every change. `found`: all transactions
--          before it were over when the item was queued or claimed; `noted`: the transaction of the note that queued it.
-- receipt: what every embedded (or empty) row was embedded from.
-- failure: rows in quarantine.
-- sweep:   how far the walk over the source (and then the receipts) has come.
CREATE OR REPLACE PROCEDURE vectorize.generate_tables(job_id integer, definitions text[])
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n integer := cardinality(definitions);
    keys text := vectorize.key_list(n, 'k%s');
    columns text := (SELECT string_agg(format('k%s %s', ord, d), ', ' ORDER BY ord) FROM unnest(definitions) WITH ORDINALITY AS x (d, ord));
    -- Truncating a table's end takes an exclusive lock, for which a user's insert would wait.
    queue text := 'autovacuum_vacuum_scale_factor = 0.05, autovacuum_vacuum_insert_scale_factor = 0.5, vacuum_truncate = off';
BEGIN
    EXECUTE format('CREATE TABLE vectorize_jobs.change_%s (id bigint GENERATED ALWAYS AS IDENTITY, %s) WITH (%s)', job_id, columns, queue);
    EXECUTE format('CREATE INDEX ON vectorize_jobs.change_%s (id)', job_id);
    -- Without a key of its own, a publication of all tables would let no worker delete from it, or move the sweep.
    EXECUTE format('ALTER TABLE vectorize_jobs.change_%s REPLICA IDENTITY FULL', job_id);
    EXECUTE format('CREATE TABLE vectorize_jobs.item_%s (%s, version bigint NOT NULL, lease bigint, attempts integer NOT NULL DEFAULT 0,
        queued_at timestamptz NOT NULL DEFAULT clock_timestamp(), not_before timestamptz, found bigint, noted bigint, PRIMARY KEY (%s)) WITH (fillfactor = 60, %s)',
        job_id, columns, keys, queue);
    -- Unique, since versions never repeat; it also tells the planner so before the table was ever analysed.
    EXECUTE format('CREATE UNIQUE INDEX ON vectorize_jobs.item_%s (version)', job_id);
    EXECUTE format('CREATE INDEX ON vectorize_jobs.item_%s (version) WHERE lease IS NULL', job_id);
    EXECUTE format('CREATE INDEX ON vectorize_jobs.item_%s (version) WHERE attempts >= 3', job_id);  -- suspects, of which there are few
    EXECUTE format('CREATE TABLE vectorize_jobs.receipt_%s (%s, digest bytea NOT NULL, embedded boolean NOT NULL, PRIMARY KEY (%s))', job_id, columns, keys);
    EXECUTE format('CREATE TABLE vectorize_jobs.failure_%s (%s, digest bytea, attempts integer NOT NULL, error text NOT NULL,
        since timestamptz NOT NULL DEFAULT clock_timestamp(), PRIMARY KEY (%s))', job_id, columns, keys);
    EXECUTE format('CREATE TABLE vectorize_jobs.sweep_%s (phase text NOT NULL, compare boolean NOT NULL, %s, missing bigint NOT NULL DEFAULT 0,
        stale bigint NOT NULL DEFAULT 0, orphaned bigint NOT NULL DEFAULT 0, started_at timestamptz NOT NULL DEFAULT clock_timestamp())', job_id, columns);
    EXECUTE format('ALTER TABLE vectorize_jobs.sweep_%s REPLICA IDENTITY FULL', job_id);
    EXECUTE format('INSERT INTO vectorize_jobs.sweep_%s (phase, compare) VALUES (''source'', false)', job_id);
END
$$;

-- Everything that generate_tables and generate_sync made; the source's own functions go with generate_access.
CREATE OR REPLACE PROCEDURE vectorize.drop_tables(job_id integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind text;
BEGIN
    FOREACH kind IN ARRAY ARRAY['change', 'item', 'receipt', 'failure', 'sweep'] LOOP
        EXECUTE format('DROP TABLE IF EXISTS vectorize_jobs.%I', kind || '_' || job_id);
    END LOOP;
END
$$;

RESET ROLE;
