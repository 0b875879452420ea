-- How many workers there is something to do for: the question of whoever starts them by need, such as a scaler.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- One worker for every `rows_each` rows that wait or are being embedded, those that run counted with them, and no more than the quota
-- feeds: with `connections` each, every one with a call of two seconds (an assumption, on the long side) under way. None for a
-- deployment that asked to wait; what calls nothing has no quota. From counters and the heads of the queues, as the status: the cost does not grow with the queue.
CREATE OR REPLACE FUNCTION vectorize.wanted_workers(rows_each integer DEFAULT 10000, connections integer DEFAULT 4) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH waiting AS (
        SELECT p.deployment, sum(p.pending + p.leased) AS rows,
               -- What a batch weighs, of the job whose batches are the lightest: it needs the most calls.
               min(least(vectorize.request_tokens(d), j.batch_size * greatest(1, coalesce(p.tokens / nullif(p.embedded, 0)::float8, 100)))) AS batch_tokens
        FROM vectorize.job_progress() AS p JOIN vectorize.job AS j ON j.id = p.id LEFT JOIN vectorize.deployment AS d ON d.name = p.deployment
        WHERE p.state = 'active' AND p.pending + p.leased > 0 AND vectorize.is_live(j)
        GROUP BY p.deployment
    ), fed AS (
        SELECT w.rows, 2 * q.rate / 60 * least(q.tokens_per_minute / w.batch_tokens, q.requests_per_minute) AS calls
        FROM waiting AS w LEFT JOIN vectorize.quota_rows() AS q USING (deployment) WHERE q.not_before IS NULL
    )
    SELECT coalesce(sum(least(ceil(f.rows / greatest(1, $1)), CASE WHEN f.calls IS NOT NULL THEN greatest(1, ceil(f.calls / greatest(1, $2))) END)), 0)::integer FROM fed AS f
$$;

RESET ROLE;
