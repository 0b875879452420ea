-- The end of a definition: what it relies on is written down, what has to be looked at again is swept, and what changed is said.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

CREATE OR REPLACE FUNCTION vectorize.finish_job(job_id integer, before vectorize.job, new_triggers boolean) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
    now_facts jsonb;
BEGIN
    SELECT * INTO j FROM vectorize.job WHERE id = job_id;
    now_facts := vectorize.source_facts(j);
    UPDATE vectorize.job SET facts = now_facts WHERE id = job_id AND facts <> now_facts;
    PERFORM vectorize.ensure_steps(job_id);  -- here, so that the first workers need not wait for one another
    -- While a job was removed, stopped or without its triggers nobody noted changes; with another template all rows changed; and a
    -- generation that is taken up again counts as filled only once all its rows were looked at.
    IF before.id = j.id AND (before.state IN ('removed', 'stopped') OR now_facts || before.facts <> now_facts OR new_triggers) THEN
        PERFORM vectorize.doubt_all(j.id);
    ELSIF before.id = j.id AND (before.fingerprint <> j.fingerprint OR before.standing = 'previous' AND j.standing <> 'previous') THEN
        PERFORM vectorize.restart_sweep(j.id);
    END IF;
    RETURN vectorize.describe_changes(before, j);
END
$$;

-- What a definition changed about one row of `job`, a sentence each.
CREATE OR REPLACE FUNCTION vectorize.describe_changes(old vectorize.job, new vectorize.job) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lines text[] := '{}';
    field record;
BEGIN
    IF new.operation <> 'split' AND new.standing = 'next' AND (old.id IS NULL OR old.standing <> 'next') THEN
        RETURN ARRAY[format('generation %s is %s, to %s of type %s(%s), by %s; searches use generation %s until it is complete', new.generation,
            CASE WHEN old.id IS NULL THEN 'new' ELSE 'taken up again' END, vectorize.place(new), new.type, new.dimensions, new.deployment,
            (SELECT generation FROM vectorize.job WHERE name = new.name AND operation <> 'split' AND standing = 'current'))];
    ELSIF old.id IS NULL OR old.state = 'removed' THEN
        RETURN vectorize.describe_creation(new);
    END IF;
    FOR field IN
        SELECT o.key, o.value AS was, n.value AS becomes
        FROM jsonb_each(to_jsonb(old)) AS o JOIN jsonb_each(to_jsonb(new)) AS n USING (key)
        WHERE o.value <> n.value AND o.key = ANY (CASE new.operation WHEN 'split' THEN '{template,chunk_tokens,chunk_overlap}'::text[]
            WHEN 'vertex' THEN '{arguments,batch_size}' WHEN 'edge' THEN '{arguments,batch_size}'
            ELSE '{template,arguments,distance,index_method,index_options,index_coverage,full_text,deployment,batch_size}' END)
        ORDER BY o.key
    LOOP
        lines := lines || format('%s was %s, is %s', replace(field.key, '_', ' '), field.was, field.becomes);
    END LOOP;
    IF old.fingerprint <> new.fingerprint THEN
        lines := lines || CASE WHEN new.operation = 'split' THEN 'every text is cut again, and chunks that change are embedded'
            WHEN vectorize.embeds(new) THEN 'every row is embedded again with the new template'
            ELSE format('every row is done again (%s): its text, the arguments or the model are others', new.operation) END;
    END IF;
    IF new.full_text IS DISTINCT FROM old.full_text AND vectorize.words_left_out(new) IS NOT NULL THEN
        lines := lines || vectorize.words_left_out(new);
    END IF;
    RETURN lines;
END
$$;

-- What a new job does to the source, and what that means for those who write to it.
CREATE OR REPLACE FUNCTION vectorize.describe_creation(j vectorize.job) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    lines text[];
    user_triggers text;
BEGIN
    IF j.operation = 'split' THEN
        RETURN ARRAY[format('created: %s in chunks of at most %s tokens to %s', vectorize.table_name(j.source), j.chunk_tokens, vectorize.place(j))];
    END IF;
    lines := ARRAY[format('created: %s%s to %s, %s, by %s', CASE WHEN j.source <> j.declared_source THEN 'the chunks of ' ELSE '' END,
        vectorize.table_name(j.declared_source), vectorize.place(j), CASE WHEN vectorize.embeds(j) THEN format('%s(%s)', j.type, j.dimensions) ELSE j.type END,
        coalesce(j.deployment, j.operation))];
    SELECT string_agg(tgname, ', ' ORDER BY tgname) INTO user_triggers FROM pg_trigger
    WHERE tgrelid = j.source AND NOT tgisinternal AND tgenabled <> 'D' AND tgtype::int & 16 > 0 AND tgname !~ '^vectorize_\d+';
    IF j.target = 'column' AND j.source = j.declared_source THEN
        lines := lines || 'a transaction under REPEATABLE READ or SERIALIZABLE that updates a row whose vector was written since it began fails with 40001; '
            'target table spares that'::text;
    END IF;
    IF j.target = 'column' AND user_triggers IS NOT NULL THEN
        lines := lines || format('writing a vector updates the row, so these triggers fire: %s; target table spares that', user_triggers);
    END IF;
    IF vectorize.words_left_out(j) IS NOT NULL THEN
        lines := lines || vectorize.words_left_out(j);
    END IF;
    RETURN lines;
END
$$;

-- Where the vectors, or the chunks, of one row of `job` are, for people.
CREATE OR REPLACE FUNCTION vectorize.place(j vectorize.job) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN j.target = 'table' THEN 'table ' || vectorize.table_name(j.target_table)
                WHEN j.source = j.declared_source THEN 'column ' || j.target_column
                ELSE format('column %s of %s', j.target_column, vectorize.table_name(j.source)) END
$$;

-- Starts the walk over all rows anew, comparing each with its receipt.
CREATE OR REPLACE FUNCTION vectorize.restart_sweep(job_id integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- Everybody locks the job before its sweep, and that before items. What reads a splitter's table has not seen all either.
    UPDATE vectorize.job SET swept_at = NULL, caught_up_at = NULL
    WHERE id = job_id OR source = (SELECT s.target_table FROM vectorize.job AS s WHERE s.id = job_id AND s.operation = 'split');
    EXECUTE format('UPDATE vectorize_jobs.sweep_%s SET phase = ''source'', compare = true, k1 = NULL, missing = 0, stale = 0, orphaned = 0, started_at = clock_timestamp()', job_id);
END
$$;

-- The same where rows may have changed, or gone, without a note: what is being embedded now was read before, so it moves on to a
-- new version, or its vector would be written after the walk has passed its row. In the order of the keys, as changes are folded,
-- so that two workers never wait for each other in a circle.
CREATE OR REPLACE FUNCTION vectorize.doubt_all(job_id integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    keys text := (SELECT vectorize.key_list(cardinality(key_columns), 'k%s') FROM vectorize.job WHERE id = job_id);
BEGIN
    PERFORM vectorize.restart_sweep(job_id);
    EXECUTE format('WITH leased AS MATERIALIZED (SELECT version FROM vectorize_jobs.item_%1$s WHERE lease IS NOT NULL ORDER BY %2$s FOR UPDATE)
        UPDATE vectorize_jobs.item_%1$s AS i SET version = nextval(''vectorize.version''), lease = NULL, attempts = 0 FROM leased AS l WHERE i.version = l.version',
        job_id, keys);
END
$$;

RESET ROLE;
