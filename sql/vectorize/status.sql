-- How far every job is. From counters and one look at the head of each queue, so the cost does not grow with the queue.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Changes that no worker has folded yet, counted to 10,000.
CREATE OR REPLACE FUNCTION vectorize.queue_head(job_id integer, OUT changes integer, OUT oldest_pending timestamptz, OUT sweeping boolean)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE replace($q$
        SELECT (SELECT count(*) FROM (SELECT FROM vectorize_jobs.change_{job} LIMIT 10000) AS c),
               (SELECT queued_at FROM vectorize_jobs.item_{job} ORDER BY version LIMIT 1),
               (SELECT phase <> 'done' FROM vectorize_jobs.sweep_{job})
    $q$, '{job}', job_id::text) INTO changes, oldest_pending, sweeping;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.status_rows() RETURNS TABLE (
    name text, source text, state text, reason text, rows bigint, embedded bigint, empty bigint, pending bigint, leased bigint, quarantined bigint,
    changes integer, sweeping boolean, tokens bigint, requests bigint, cost_usd numeric, rows_per_second numeric, tokens_per_second numeric,
    eta_seconds bigint, oldest_pending timestamptz, index_state text, last_error text, last_error_at timestamptz
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
        SELECT j.*, c.queued + coalesce(r.queued, 0) AS queued, c.embedded + coalesce(r.embedded, 0) AS embedded, c.empty + coalesce(r.empty, 0) AS empty,
               c.quarantined + coalesce(r.quarantined, 0) AS quarantined, c.tokens + coalesce(r.tokens, 0) AS tokens,
               c.requests + coalesce(r.requests, 0) AS requests, coalesce(l.items, 0) AS leased,
               coalesce(r.written_lately / r.seconds, 0) AS rate, coalesce(r.tokens_lately / r.seconds, 0) AS token_rate
        FROM vectorize.job AS j JOIN vectorize.counter AS c ON c.job = j.id
        LEFT JOIN recent AS r ON r.job = j.id LEFT JOIN leases AS l ON l.job = j.id
        WHERE j.state <> 'removed'
    ), known AS (
        SELECT s.*, h.*, CASE WHEN h.sweeping OR s.queued > 0 THEN greatest(s.embedded + s.empty + s.quarantined, vectorize.table_rows(s.source))
                              ELSE s.embedded + s.empty + s.quarantined END AS all_rows
        FROM sums AS s, vectorize.queue_head(s.id) AS h
    ), work AS (
        -- Pending is all that is not done: queued, changed, and, while a sweep runs, what it has not come to.
        SELECT k.*, greatest(0, k.queued - k.leased) + k.changes + CASE WHEN k.sweeping
                   THEN greatest(1, k.all_rows - k.embedded - k.empty - k.quarantined - k.queued) ELSE 0 END AS todo
        FROM known AS k
    )
    SELECT k.name, vectorize.table_name(k.source), k.state, k.reason, k.all_rows::bigint, k.embedded::bigint, k.empty::bigint,
           k.todo::bigint, least(k.queued, k.leased)::bigint, k.quarantined::bigint, k.changes, k.sweeping, k.tokens::bigint, k.requests::bigint,
           round(k.tokens * d.price_per_million_tokens / 1000000, 6), round(k.rate, 1), round(k.token_rate, 1),
           CASE WHEN k.rate > 0 THEN ceil((k.todo + least(k.queued, k.leased)) / k.rate)::bigint END,
           k.oldest_pending, vectorize.index_state(k.id), k.last_error, k.last_error_at
    FROM work AS k JOIN vectorize.deployment AS d ON d.name = k.deployment
$$;

CREATE OR REPLACE VIEW vectorize.status AS SELECT * FROM vectorize.status_rows();

-- Rows in quarantine, of all jobs.
CREATE OR REPLACE FUNCTION vectorize.failure_rows() RETURNS TABLE (job text, key jsonb, attempts integer, error text, since timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
BEGIN
    FOR j IN SELECT o.* FROM vectorize.job AS o WHERE o.state <> 'removed' ORDER BY o.name LOOP
        RETURN QUERY EXECUTE format('SELECT %L::text, %s, attempts, error, since FROM vectorize_jobs.failure_%s ORDER BY since',
            j.name, vectorize.key_json(j, 'k{n}'), j.id);
    END LOOP;
END
$$;

CREATE OR REPLACE VIEW vectorize.failures AS SELECT * FROM vectorize.failure_rows();

RESET ROLE;
