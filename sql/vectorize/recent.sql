-- What lately happened, at a cost that is bounded: the last hour of each quota, and the newest rows in quarantine.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- What each minute of the last hour used of a deployment's quota; minutes without use are left out. What is folded, and what is
-- not yet: the present minute is among them, and counted as far as it went. Tokens are estimates, as they are billed.
CREATE OR REPLACE VIEW vectorize.quota_minutes AS
    SELECT b.deployment, b.minute, sum(b.tokens)::bigint AS tokens, sum(b.requests)::bigint AS requests
    FROM (
        SELECT u.deployment, u.minute, u.tokens, u.requests FROM vectorize.used_minute AS u
        UNION ALL
        SELECT d.name, date_bin('1 minute', o.at, '2000-01-01 00:00Z'), o.tokens, o.requests
        FROM vectorize.delta AS o JOIN vectorize.job AS j ON j.id = o.job JOIN vectorize.deployment AS d ON d.name = j.deployment
        WHERE o.requests > 0
    ) AS b
    WHERE b.minute > clock_timestamp() - interval '1 hour'
    GROUP BY b.deployment, b.minute;

-- The newest rows in quarantine, `most` of each job at most; of a million, vectorize.failures would return each.
CREATE OR REPLACE FUNCTION vectorize.recent_failures(most integer) RETURNS TABLE (job text, key jsonb, attempts integer, error text, since timestamptz)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
BEGIN
    FOR j IN SELECT o.* FROM vectorize.job AS o WHERE o.state <> 'removed' AND o.standing <> 'previous' ORDER BY o.name, o.id LOOP
        RETURN QUERY EXECUTE format('SELECT %L::text, %s, attempts, error, since FROM vectorize_jobs.failure_%s ORDER BY since DESC LIMIT %s',
            j.name, vectorize.key_json(j, 'k{n}'), j.id, greatest(0, most));
    END LOOP;
END
$$;

RESET ROLE;
