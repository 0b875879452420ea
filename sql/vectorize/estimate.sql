-- What the rest of a job will take, before anything is spent.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- All that a job has to do: in its current generation, and in the next where there is one; of texts that are not cut yet, the
-- chunks that they will make. Tokens and cost are estimates (tokens.sql); rows in quarantine count as if they were tried again. A
-- cost is NULL where no price is known.
CREATE OR REPLACE FUNCTION vectorize.estimate(job text, OUT rows bigint, OUT tokens bigint, OUT requests bigint, OUT cost_usd numeric, OUT minutes numeric)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
    d vectorize.deployment;
    uncut record;
    part record;
    calls numeric;
BEGIN
    rows := 0; tokens := 0; requests := 0; cost_usd := 0; minutes := 0;
    FOR j IN SELECT * FROM vectorize.job_rows(estimate.job) AS r WHERE r.standing <> 'previous' ORDER BY r.operation = 'split' DESC LOOP
        SELECT * INTO d FROM vectorize.deployment AS o WHERE o.name = j.deployment;
        SELECT * INTO part FROM vectorize.estimate_rest(j, d);
        IF j.operation = 'split' THEN
            uncut := vectorize.estimate_chunks(j, part.rows, part.tokens);
            CONTINUE;
        ELSIF j.source <> j.declared_source THEN
            part.rows := part.rows + uncut.chunks;
            part.tokens := part.tokens + uncut.tokens;
        END IF;
        rows := rows + part.rows;
        CONTINUE WHEN d.name IS NULL;  -- nothing is called
        part.tokens := CASE WHEN d.tokens_per_minute > 0 THEN part.tokens + part.rows * coalesce(vectorize.characters_around(j), 0) / 4 ELSE 0 END;
        tokens := tokens + part.tokens;
        calls := ceil(greatest(part.rows::numeric / vectorize.batch_rows(j, d, part.tokens::float8 / greatest(1, part.rows)), part.tokens / 240000.0));
        requests := requests + calls;
        cost_usd := cost_usd + round(part.tokens * d.price_per_million_tokens / 1000000, 6);
        minutes := minutes + round(greatest(part.tokens::numeric / d.tokens_per_minute, calls / d.requests_per_minute) / (1 - d.search_share)::numeric, 2);
    END LOOP;
END
$$;

-- The chunks that so many texts with so many tokens will make: two thirds full on average (split.sql), each with its overlap.
CREATE OR REPLACE FUNCTION vectorize.estimate_chunks(j vectorize.job, texts bigint, text_tokens bigint, OUT chunks bigint, OUT tokens bigint)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT n.chunks, text_tokens + greatest(0, n.chunks - texts) * j.chunk_overlap
    FROM (SELECT greatest(texts, ceil(text_tokens / ((j.chunk_tokens - j.chunk_overlap) * 2 / 3.0))::bigint) AS chunks) AS n
$$;

-- Rows of a job that are due, and their tokens. Reads the whole table up to about 50,000 rows, and a sample of about that many beyond.
CREATE OR REPLACE FUNCTION vectorize.estimate_rest(j vectorize.job, d vectorize.deployment, OUT rows bigint, OUT tokens bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    all_rows bigint := vectorize.table_rows(j.source);
    share real := least(100, 100 * 50000.0 / greatest(1, all_rows));
    scale float8 := 1;
    seen bigint;
BEGIN
    -- A batch is as many rows in the order of their keys, and a text that occurs twice in it is sent once.
    EXECUTE replace(format($q$
        WITH found AS (
            SELECT %1$s, s.content, sha256($2 || convert_to(s.content, 'UTF8')) AS digest, s.stored FROM vectorize_jobs.sample_{job}($1) AS s
        ), judged AS (
            SELECT s.*, s.content ~ '\S' AND (r.k1 IS NULL OR r.digest <> s.digest OR r.embedded <> s.stored) AS due
            FROM found AS s LEFT JOIN vectorize_jobs.receipt_{job} AS r ON %2$s
        ), placed AS (
            SELECT j.*, (row_number() OVER (PARTITION BY j.due ORDER BY %3$s) - 1) / $3 AS batch FROM judged AS j
        ), counted AS (
            SELECT p.due, p.content, row_number() OVER (PARTITION BY p.due, p.batch, p.digest) AS copy FROM placed AS p
        )
        SELECT count(*), count(*) FILTER (WHERE due), coalesce(sum(vectorize.tokens(content, $4)) FILTER (WHERE due AND copy = 1), 0) FROM counted
    $q$, vectorize.key_list(cardinality(j.key_columns), 's.k%s'), vectorize.key_match(j, 'r.k{n}', 's.k{n}'),
        vectorize.key_list(cardinality(j.key_columns), 'j.k%s')), '{job}', j.id::text)
    INTO seen, rows, tokens USING share, j.fingerprint, j.batch_size, coalesce(d.bytes_per_token, 4);
    IF share < 100 AND seen > 0 THEN
        scale := all_rows::float8 / seen;  -- by the rows that the sample really had, which vary more than the table's size is off
    END IF;
    rows := round(rows * scale);
    tokens := round(tokens * scale);
END
$$;

-- About how many rows a table has, partitions included, without counting. The statistics system's count comes first: vectors
-- written to a column make the table larger, not longer. It is 0 after a crash or a restore, and lags by about a second.
CREATE OR REPLACE FUNCTION vectorize.table_rows(table_oid oid) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(CASE
        WHEN c.relkind = 'p' THEN 0
        WHEN pg_stat_get_live_tuples(c.oid) > 0 THEN pg_stat_get_live_tuples(c.oid)
        WHEN c.reltuples > 0 AND c.relpages > 0 THEN c.reltuples / c.relpages * (pg_relation_size(c.oid) / current_setting('block_size')::int)
        -- Never analysed: at 60 rows a page, too many rather than too few.
        ELSE pg_relation_size(c.oid) / current_setting('block_size')::int * 60.0 END), 0)::bigint
    FROM (SELECT table_oid AS oid UNION SELECT relid FROM pg_partition_tree(table_oid)) AS t JOIN pg_class AS c ON c.oid = t.oid
$$;

RESET ROLE;
