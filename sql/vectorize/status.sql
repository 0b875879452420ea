-- How far every job is. From counters and one look at the head of each queue, so the cost does not grow with the queue.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Changes that no worker has folded yet; beyond 10,000 by their numbers, which have few gaps.
CREATE OR REPLACE FUNCTION vectorize.queue_head(job_id integer, OUT changes integer, OUT oldest_pending timestamptz, OUT sweeping boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE replace($q$
        SELECT (SELECT CASE WHEN count(*) < 10000 THEN count(*) ELSE (SELECT max(id) - min(id) + 1 FROM vectorize_jobs.change_{job}) END
                FROM (SELECT FROM vectorize_jobs.change_{job} LIMIT 10000) AS c) + (SELECT count(*) FROM (SELECT FROM vectorize.doubt WHERE job = {job} LIMIT 1) AS d),
               (SELECT queued_at FROM vectorize_jobs.item_{job} WHERE lease IS NULL ORDER BY version LIMIT 1),
               (SELECT phase <> 'done' FROM vectorize_jobs.sweep_{job})
    $q$, '{job}', job_id::text) INTO changes, oldest_pending, sweeping;
END
$$;

-- Rows that were inserted since a worker looked, of at most 10,000 changes: nothing is known of their keys yet.
CREATE OR REPLACE FUNCTION vectorize.new_rows(j vectorize.job) RETURNS bigint
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    found bigint;
BEGIN
    EXECUTE replace(format($q$
        SELECT count(*) FROM (SELECT DISTINCT %1$s FROM (SELECT %1$s FROM vectorize_jobs.change_{job} LIMIT 10000) AS n) AS c
        WHERE NOT EXISTS (SELECT FROM vectorize_jobs.receipt_{job} AS r WHERE %2$s)
          AND NOT EXISTS (SELECT FROM vectorize_jobs.failure_{job} AS r WHERE %2$s)
    $q$, vectorize.key_list(cardinality(j.key_columns), 'k%s'), vectorize.key_match(j, 'r.k{n}', 'c.k{n}')), '{job}', j.id::text) INTO found;
    RETURN found;
END
$$;

-- One row for each row of `job`: generations and splitters.
CREATE OR REPLACE FUNCTION vectorize.job_progress() RETURNS TABLE (
    id integer, name text, operation text, standing text, generation integer, state text, reason text, source regclass, declared_source regclass, place text,
    deployment text, model text, dimensions integer, rows bigint, embedded bigint, empty bigint, pending bigint, leased bigint, quarantined bigint,
    changes integer, sweeping boolean, tokens bigint, requests bigint, cost_usd numeric, rate numeric, token_rate numeric,
    oldest_pending timestamptz, index_state text, last_error text, last_error_at timestamptz, switched_at timestamptz, caught_up boolean
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH recent AS (
        SELECT job, sum(queued) AS queued, sum(embedded) AS embedded, sum(empty) AS empty, sum(quarantined) AS quarantined, sum(tokens) AS tokens,
               sum(requests) AS requests, sum(written) FILTER (WHERE at > clock_timestamp() - interval '1 minute') AS written_lately,
               sum(tokens) FILTER (WHERE at > clock_timestamp() - interval '1 minute') AS tokens_lately,
               greatest(1, extract(epoch FROM clock_timestamp() - min(at) FILTER (WHERE at > clock_timestamp() - interval '1 minute'))) AS seconds
        FROM vectorize.delta GROUP BY job
    ), leases AS (
        SELECT job, sum(items) AS items FROM vectorize.lease WHERE until > clock_timestamp() GROUP BY job
    ), sums AS (
        SELECT j.*, j AS o, c.queued + coalesce(r.queued, 0) AS queued, c.embedded + coalesce(r.embedded, 0) AS embedded, c.empty + coalesce(r.empty, 0) AS empty,
               c.quarantined + coalesce(r.quarantined, 0) AS quarantined, c.tokens + coalesce(r.tokens, 0) AS tokens,
               c.requests + coalesce(r.requests, 0) AS requests, coalesce(l.items, 0) AS leased,
               coalesce(r.written_lately / r.seconds, 0) AS rate, coalesce(r.tokens_lately / r.seconds, 0) AS token_rate
        FROM vectorize.job AS j JOIN vectorize.counter AS c ON c.job = j.id
        LEFT JOIN recent AS r ON r.job = j.id LEFT JOIN leases AS l ON l.job = j.id
        WHERE j.state <> 'removed'
    ), known AS (
        SELECT s.*, h.*, CASE WHEN h.sweeping OR s.queued > 0 OR h.changes >= 10000 THEN greatest(s.embedded + s.empty + s.quarantined, vectorize.table_rows(s.source))
                              WHEN h.changes > 0 THEN s.embedded + s.empty + s.quarantined + vectorize.new_rows(s.o)
                              ELSE s.embedded + s.empty + s.quarantined END AS all_rows
        FROM sums AS s, vectorize.queue_head(s.id) AS h
    ), work AS (
        -- Pending is all that is not done: queued, changed, and, while a sweep runs, what it has not come to.
        SELECT k.*, greatest(0, k.queued - k.leased) + k.changes + CASE WHEN k.sweeping
                   THEN greatest(1, k.all_rows - k.embedded - k.empty - k.quarantined - k.queued) ELSE 0 END AS todo
        FROM known AS k
    )
    SELECT k.id, k.name, k.operation, k.standing, k.generation, k.state, k.reason, k.source, k.declared_source, vectorize.place(k.o), k.deployment, d.model, k.dimensions,
           k.all_rows::bigint, k.embedded::bigint, k.empty::bigint, k.todo::bigint, least(k.queued, k.leased)::bigint, k.quarantined::bigint,
           k.changes, k.sweeping, k.tokens::bigint, k.requests::bigint, CASE WHEN k.deployment IS NULL THEN 0 ELSE round(k.tokens * d.price_per_million_tokens / 1000000, 6) END, k.rate, k.token_rate,
           k.oldest_pending, vectorize.index_state(k.id), k.last_error, k.last_error_at, k.switched_at, vectorize.caught_up(k.id)
    FROM work AS k LEFT JOIN vectorize.deployment AS d ON d.name = k.deployment
$$;

-- One row a job: rows and vectors (or what else its operation makes) are those that searches use (of a chunked job, chunks); what is to be done, and what was
-- spent, is that of all its generations and of its splitter. A generation that is only kept has nothing to be done. Caught up is
-- a job whose rows are all done but for those that changed lately.
CREATE OR REPLACE FUNCTION vectorize.status_rows() RETURNS TABLE (
    name text, source text, state text, reason text, rows bigint, embedded bigint, empty bigint, pending bigint, leased bigint, quarantined bigint,
    changes integer, sweeping boolean, tokens bigint, requests bigint, cost_usd numeric, rows_per_second numeric, tokens_per_second numeric,
    eta_seconds bigint, oldest_pending timestamptz, index_state text, last_error text, last_error_at timestamptz,
    generation integer, next_generation integer, next_embedded bigint, chunks bigint, caught_up boolean, operation text
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH parts AS MATERIALIZED (
        SELECT p.*, vectorize.is_live(j) AS live FROM vectorize.job_progress() AS p JOIN vectorize.job AS j ON j.id = p.id
    ), sums AS (
        SELECT p.name, sum(p.pending) FILTER (WHERE p.live) AS pending, sum(p.leased) FILTER (WHERE p.live) AS leased,
               sum(p.quarantined) FILTER (WHERE p.live) AS quarantined, sum(p.changes) FILTER (WHERE p.live) AS changes,
               bool_or(p.sweeping AND p.live) AS sweeping, bool_and(p.caught_up OR NOT p.live) AS caught_up, sum(p.tokens) AS tokens, sum(p.requests) AS requests, sum(p.cost_usd) AS cost_usd,
               sum(p.rate) FILTER (WHERE p.operation <> 'split') AS rate, sum(p.token_rate) AS token_rate,
               min(p.oldest_pending) FILTER (WHERE p.live) AS oldest_pending, max(p.last_error_at) AS last_error_at,
               (array_agg(p.last_error ORDER BY p.last_error_at DESC NULLS LAST))[1] AS last_error,
               (array_agg(p.state ORDER BY p.state <> 'stopped', p.state = 'active') FILTER (WHERE p.live))[1] AS state,
               (array_agg(p.reason ORDER BY p.reason IS NULL) FILTER (WHERE p.live))[1] AS reason
        FROM parts AS p GROUP BY p.name
    )
    SELECT c.name, vectorize.table_name(c.declared_source), s.state, s.reason, c.rows, c.embedded, c.empty, s.pending::bigint, s.leased::bigint,
           s.quarantined::bigint, s.changes::integer, s.sweeping, s.tokens::bigint, s.requests::bigint, s.cost_usd, round(s.rate, 1), round(s.token_rate, 1),
           CASE WHEN s.rate > 0 THEN ceil((s.pending + s.leased) / s.rate)::bigint END, s.oldest_pending, c.index_state, s.last_error, s.last_error_at,
           c.generation, n.generation, n.embedded, CASE WHEN c.source <> c.declared_source THEN c.rows END, s.caught_up, c.operation
    FROM parts AS c JOIN sums AS s ON s.name = c.name
    LEFT JOIN parts AS n ON n.name = c.name AND n.operation <> 'split' AND n.standing = 'next'
    WHERE c.operation <> 'split' AND c.standing = 'current'
$$;

CREATE OR REPLACE VIEW vectorize.status AS SELECT * FROM vectorize.status_rows();

-- One row a generation, the kept ones too.
CREATE OR REPLACE VIEW vectorize.generations AS
    SELECT r.name AS job, r.generation, r.standing, r.deployment, r.model, r.dimensions, r.place AS target, r.rows, r.embedded, r.pending, r.leased, r.quarantined,
           r.index_state, r.switched_at
    FROM vectorize.job_progress() AS r WHERE r.operation <> 'split';

-- Rows in quarantine, of all jobs; a chunk by its id in the table of chunks.
CREATE OR REPLACE FUNCTION vectorize.failure_rows() RETURNS TABLE (job text, key jsonb, attempts integer, error text, since timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
BEGIN
    FOR j IN SELECT o.* FROM vectorize.job AS o WHERE o.state <> 'removed' AND o.standing <> 'previous' ORDER BY o.name, o.operation = 'split' LOOP
        RETURN QUERY EXECUTE format('SELECT %L::text, %s, attempts, error, since FROM vectorize_jobs.failure_%s ORDER BY since',
            j.name, vectorize.key_json(j, 'k{n}'), j.id);
    END LOOP;
END
$$;

CREATE OR REPLACE VIEW vectorize.failures AS SELECT * FROM vectorize.failure_rows();

RESET ROLE;
