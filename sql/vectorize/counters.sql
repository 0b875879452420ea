-- Counters instead of counts: each step appends what it changed, in its own transaction, so that they are exact.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Folds what is older than the minute that rates are taken from.
CREATE OR REPLACE FUNCTION vectorize.fold_counters() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_try_advisory_xact_lock(vectorize.lock_class(), 1) THEN
        PERFORM vectorize.fold_deltas(clock_timestamp() - interval '70 seconds');
    END IF;
END
$$;

-- Moves deltas, of all jobs or of one, into the counters, the spend and the minutes of the quota. One statement, so that all see the
-- same ones.
CREATE OR REPLACE FUNCTION vectorize.fold_deltas(before timestamptz, only_job integer DEFAULT NULL) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH old AS (
        DELETE FROM vectorize.delta AS o WHERE o.at < before AND (only_job IS NULL OR o.job = only_job) RETURNING *
    ), sums AS (
        SELECT job, sum(queued) AS queued, sum(embedded) AS embedded, sum(empty) AS empty, sum(quarantined) AS quarantined,
               sum(written) AS written, sum(tokens) AS tokens, sum(requests) AS requests
        FROM old GROUP BY job
    ), spent AS (
        INSERT INTO vectorize.spent AS s (job, day, requests, tokens, cost_usd)
        SELECT j.name, (o.at AT TIME ZONE 'UTC')::date, sum(o.requests), sum(o.tokens), sum(o.tokens * d.price_per_million_tokens / 1000000)
        FROM old AS o JOIN vectorize.job AS j ON j.id = o.job JOIN vectorize.deployment AS d ON d.name = j.deployment
        WHERE o.requests > 0 GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT ON CONSTRAINT spent_pkey DO UPDATE
        SET requests = s.requests + excluded.requests, tokens = s.tokens + excluded.tokens, cost_usd = s.cost_usd + excluded.cost_usd
    ), used AS (
        INSERT INTO vectorize.used_minute AS u (deployment, minute, tokens, requests)
        SELECT d.name, date_bin('1 minute', o.at, '2000-01-01 00:00Z'), sum(o.tokens), sum(o.requests)
        FROM old AS o JOIN vectorize.job AS j ON j.id = o.job JOIN vectorize.deployment AS d ON d.name = j.deployment
        WHERE o.requests > 0 AND o.at > clock_timestamp() - interval '1 hour' GROUP BY 1, 2 ORDER BY 1, 2
        ON CONFLICT ON CONSTRAINT used_minute_pkey DO UPDATE SET tokens = u.tokens + excluded.tokens, requests = u.requests + excluded.requests
    ), forgotten AS (
        -- Not those of just an hour ago, of which one may be written above.
        DELETE FROM vectorize.used_minute WHERE minute < clock_timestamp() - interval '2 hours'
    )
    UPDATE vectorize.counter AS c
    SET queued = c.queued + s.queued, embedded = c.embedded + s.embedded, empty = c.empty + s.empty,
        quarantined = c.quarantined + s.quarantined, written = c.written + s.written, tokens = c.tokens + s.tokens, requests = c.requests + s.requests
    FROM sums AS s WHERE c.job = s.job
$$;

RESET ROLE;
