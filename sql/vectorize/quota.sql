-- How much of each deployment's quota is used, and how much is allowed now.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- The newest version of each bucket by its index, as in `reserve`: a long transaction elsewhere keeps every other.
-- `rate` is the share of the quota that workers may use now; the last minute's tokens are estimates, as they are billed.
CREATE OR REPLACE FUNCTION vectorize.quota_rows() RETURNS TABLE (
    deployment text, tokens_per_minute integer, requests_per_minute integer, rate numeric, tokens_last_minute bigint, requests_last_minute bigint,
    not_before timestamptz
)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
    SELECT d.name, d.tokens_per_minute, d.requests_per_minute, round((vectorize.rate_now(b) * (1 - d.search_share))::numeric, 3),
           coalesce(l.tokens, 0)::bigint, coalesce(l.requests, 0)::bigint, CASE WHEN vectorize.held_back(d) > 0 THEN d.not_before END
    FROM vectorize.deployment AS d CROSS JOIN LATERAL (
        SELECT * FROM vectorize.bucket AS o WHERE o.deployment = d.name ORDER BY o.turn DESC LIMIT 1
    ) AS b
    LEFT JOIN (
        SELECT j.deployment, sum(o.tokens) AS tokens, sum(o.requests) AS requests
        FROM vectorize.delta AS o JOIN vectorize.job AS j ON j.id = o.job
        WHERE o.at > clock_timestamp() - interval '1 minute' GROUP BY j.deployment
    ) AS l ON l.deployment = d.name
$$;

CREATE OR REPLACE VIEW vectorize.quota AS SELECT * FROM vectorize.quota_rows();

RESET ROLE;
