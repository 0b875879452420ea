-- The end of a definition: what it relies on is written down, what has to be looked at again is swept, and what changed is said.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

CREATE OR REPLACE FUNCTION vectorize.finish_job(job_id integer, old vectorize.job, new_triggers boolean) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
    now_facts jsonb;
BEGIN
    SELECT * INTO j FROM vectorize.job WHERE id = job_id;
    now_facts := vectorize.source_facts(j.id, j.source, j.key_columns, j.template, j.target_table, j.target_column);
    UPDATE vectorize.job SET facts = now_facts WHERE id = job_id AND facts <> now_facts;
    -- While a job was removed, stopped or without its triggers nobody noted changes; with another template all rows changed.
    IF old.id = j.id AND (old.state IN ('removed', 'stopped') OR old.facts <> now_facts OR new_triggers OR old.fingerprint <> j.fingerprint) THEN
        PERFORM vectorize.restart_sweep(j.id);
    END IF;
    RETURN vectorize.describe_changes(old, j);
END
$$;

CREATE OR REPLACE FUNCTION vectorize.describe_changes(old vectorize.job, new vectorize.job) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lines text[] := '{}';
    target text := CASE new.target WHEN 'column' THEN 'column ' || new.target_column ELSE 'table ' || vectorize.table_name(new.target_table) END;
    user_triggers text;
    field record;
BEGIN
    IF old.id IS DISTINCT FROM new.id OR old.state = 'removed' THEN
        lines := lines || format('created: %s to %s, %s(%s), by %s', vectorize.table_name(new.source), target, new.type, new.dimensions, new.deployment);
        SELECT string_agg(tgname, ', ' ORDER BY tgname) INTO user_triggers FROM pg_trigger
        WHERE tgrelid = new.source AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype::int & 16 > 0 AND tgname !~ '^vectorize_\d+';
        IF new.target = 'column' AND user_triggers IS NOT NULL THEN
            lines := lines || format('writing a vector updates the row, so these triggers fire: %s; target table spares that', user_triggers);
        END IF;
        RETURN lines;
    END IF;
    FOR field IN
        SELECT o.key, o.value AS was, n.value AS becomes
        FROM jsonb_each(to_jsonb(old)) AS o JOIN jsonb_each(to_jsonb(new)) AS n USING (key)
        WHERE o.value <> n.value AND o.key IN ('template', 'distance', 'index_method', 'index_options', 'index_coverage', 'deployment', 'batch_size')
        ORDER BY o.key
    LOOP
        lines := lines || format('%s was %s, is %s', replace(field.key, '_', ' '), field.was, field.becomes);
    END LOOP;
    IF old.template <> new.template THEN
        lines := lines || 'every row is embedded again with the new template'::text;
    END IF;
    RETURN lines;
END
$$;

-- Starts the walk over all rows anew, comparing each with its receipt. What is being embedded now was read before the reason to
-- walk: it moves on to a new version, or its vector would be written after the walk has passed its row. In the order of the
-- versions, as claims lock them.
CREATE OR REPLACE FUNCTION vectorize.restart_sweep(job_id integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('UPDATE vectorize_jobs.sweep_%s SET phase = ''source'', compare = true, k1 = NULL, missing = 0, stale = 0, orphaned = 0, started_at = clock_timestamp()', job_id);
    EXECUTE format('WITH leased AS MATERIALIZED (SELECT version FROM vectorize_jobs.item_%1$s WHERE lease IS NOT NULL ORDER BY version FOR UPDATE)
        UPDATE vectorize_jobs.item_%1$s AS i SET version = nextval(''vectorize.version''), lease = NULL, attempts = 0 FROM leased AS l WHERE i.version = l.version', job_id);
END
$$;

RESET ROLE;
