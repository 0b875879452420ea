-- What each job spent, by day. Tokens are estimates (azure_ai reports no usage), requests are counted, refused ones too, and the cost
-- is at the deployment's price when the minute was folded, or NULL where that is not known.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- What is folded and what is not yet, so it is exact at any moment; a job that was removed stays under its name.
CREATE OR REPLACE VIEW vectorize.spend AS
    SELECT b.job, b.day, sum(b.requests)::bigint AS requests, sum(b.tokens)::bigint AS tokens, round(sum(b.cost_usd), 6) AS cost_usd
    FROM (
        SELECT s.job, s.day, s.requests, s.tokens, s.cost_usd FROM vectorize.spent AS s
        UNION ALL
        SELECT j.name, (o.at AT TIME ZONE 'UTC')::date, o.requests, o.tokens, o.tokens * d.price_per_million_tokens / 1000000
        FROM vectorize.delta AS o JOIN vectorize.job AS j ON j.id = o.job JOIN vectorize.deployment AS d ON d.name = j.deployment
        WHERE o.requests > 0
    ) AS b
    GROUP BY b.job, b.day;

-- Before a job is forgotten: what its deltas say was spent is folded, or it would go with them.
CREATE OR REPLACE FUNCTION vectorize.keep_spend(job_id integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Waited for, unlike anywhere else in the engine: its holders only fold, and are done in an instant.
    PERFORM pg_advisory_xact_lock(vectorize.lock_class(), 1);
    PERFORM vectorize.fold_deltas('infinity', job_id);
END
$$;

RESET ROLE;
