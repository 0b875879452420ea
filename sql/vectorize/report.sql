-- How far the jobs are, for whoever reads the server's log: one line a minute while anybody works, in JSON after `vectorize: `.
-- It has names, numbers and the head of the reason of a stop; no key and no text of a row. What follows the reason's first colon
-- may be the error of a user's trigger, and that may quote a row: `vectorize.status` has it.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Whoever comes first in a minute writes; nobody waits for that.
CREATE OR REPLACE FUNCTION vectorize.report_progress() RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    turn tid;
BEGIN
    SELECT ctid INTO turn FROM vectorize.reported WHERE at < clock_timestamp() - interval '1 minute' LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE vectorize.reported SET at = clock_timestamp() WHERE ctid = turn;
    -- LOG goes to the server's log, whatever the client asks for, and to no client.
    RAISE LOG 'vectorize: %', vectorize.progress_report();
END
$$;

CREATE OR REPLACE FUNCTION vectorize.progress_report() RETURNS jsonb
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object('database', current_database(),
        'jobs', (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'job', s.name, 'state', s.state, 'reason', substring(s.reason FROM '^[^:]*(?:: \d{3}\M)?'), 'rows', s.rows, 'embedded', s.embedded, 'pending', s.pending, 'leased', s.leased,
            'quarantined', s.quarantined, 'rowsPerSecond', s.rows_per_second, 'tokens', s.tokens, 'costUsd', s.cost_usd,
            'oldestSeconds', round(extract(epoch FROM clock_timestamp() - s.oldest_pending)), 'index', s.index_state) ORDER BY s.name), '[]')
            FROM vectorize.status_rows() AS s),
        'quota', (SELECT coalesce(jsonb_agg(jsonb_build_object(
            'deployment', q.deployment, 'tokensPerMinute', q.tokens_per_minute, 'tokensLastMinute', q.tokens_last_minute,
            'requestsPerMinute', q.requests_per_minute, 'requestsLastMinute', q.requests_last_minute, 'rate', q.rate) ORDER BY q.deployment), '[]')
            FROM vectorize.quota_rows() AS q))
$$;

RESET ROLE;
