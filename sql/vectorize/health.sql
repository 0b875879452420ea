-- Whether a source still looks as it did when its job was defined. Workers ask each round: a trigger that went with a column,
-- or a column that was renamed, must be told to somebody rather than leave vectors stale without a word.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- The reason to stop the job, or NULL. What only changed rows without firing a trigger is followed, and all rows are swept anew.
CREATE OR REPLACE FUNCTION vectorize.check_source(job_id integer) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
    seen jsonb;
    why text;
BEGIN
    SELECT * INTO j FROM vectorize.job WHERE id = job_id;
    IF vectorize.hides_rows(j.source) THEN
        RETURN format('row security is forced on %s and no policy lets its owner see a row: create one, or do not force it', vectorize.table_name(j.source));
    ELSIF vectorize.has_heirs(j.source) THEN
        RETURN format('%s has tables that inherit from it, whose rows fire no trigger of the job: let them not (ALTER TABLE ... NO INHERIT), and CALL vectorize.resume(%L)',
            vectorize.table_name(j.source), j.name);
    END IF;
    seen := vectorize.source_facts(j);
    IF seen || j.facts = seen THEN
        -- What the version that kept them did not look at is taken as it is, or an upgrade would sweep every job.
        UPDATE vectorize.job SET facts = seen WHERE id = job_id AND facts <> seen;
        RETURN vectorize.read_failure(j);
    END IF;
    -- One worker at a time; the others find nothing left to follow.
    SELECT * INTO j FROM vectorize.job WHERE id = job_id FOR NO KEY UPDATE;
    seen := vectorize.source_facts(j);
    IF seen = j.facts THEN
        RETURN NULL;
    END IF;
    why := vectorize.source_mismatch(j, seen);
    IF why IS NULL THEN
        PERFORM vectorize.follow_source(j, seen);
    END IF;
    RETURN why;
END
$$;

-- Why a source that looks like that is not what the job was defined on, or NULL: a template column may change its type, a partition come
-- or go, and the table be written anew.
CREATE OR REPLACE FUNCTION vectorize.source_mismatch(j vectorize.job, seen jsonb) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    source_name text := vectorize.table_name(j.source);
    gone text;
BEGIN
    IF seen IS NULL THEN
        RETURN 'the source table is gone: define the job on another table, or remove it (CALL vectorize.remove)';
    END IF;
    SELECT string_agg(c, ', ' ORDER BY c) INTO gone FROM jsonb_object_keys(j.facts -> 'template') AS c
    WHERE NOT coalesce(seen -> 'template', '{}') ? c;
    IF gone IS NOT NULL THEN
        RETURN format('the template names %s, which %s no longer has: define the job with another template', gone, source_name);
    ELSIF seen -> 'key' IS DISTINCT FROM j.facts -> 'key' OR seen -> 'key types' IS DISTINCT FROM j.facts -> 'key types' THEN
        RETURN format('the key (%s) of %s is no longer what it was, or lost its unique index: bring it back, or remove the job and define it again',
            array_to_string(j.key_columns, ', '), source_name);
    ELSIF seen -> 'target' IS DISTINCT FROM j.facts -> 'target' THEN
        RETURN format('the column %s for the vectors is gone or has another type: define the job again', j.target_column);
    ELSIF seen -> 'names' <> j.facts -> 'names' THEN
        RETURN format('%s is %s now: define the job again', j.facts -> 'names' ->> CASE WHEN seen -> 'names' -> 0 = j.facts -> 'names' -> 0 THEN 1 ELSE 0 END,
            seen -> 'names' ->> CASE WHEN seen -> 'names' -> 0 = j.facts -> 'names' -> 0 THEN 1 ELSE 0 END);
    ELSIF seen -> 'owner' <> j.facts -> 'owner' OR seen -> 'functions' <> j.facts -> 'functions' THEN
        RETURN format('%s has another owner, or functions of the job are gone: define the job again', source_name);
    ELSIF seen -> 'triggers' <> j.facts -> 'triggers' THEN
        RETURN format('triggers of the job on %s are gone or disabled: define the job again', source_name);
    ELSIF seen -> 'template' <> j.facts -> 'template' THEN
        RETURN (SELECT string_agg(p, '; ') FROM vectorize.template_problems(j.source, jsonb_build_object('template', j.template)) AS p);
    END IF;
    RETURN NULL;
END
$$;

-- Goes on with the source as it looks now, whose rows may have changed without a note. The trigger's function is made anew: it is written
-- for the columns' types, and sessions that planned it for others could not read a row again.
CREATE OR REPLACE FUNCTION vectorize.follow_source(j vectorize.job, seen jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE vectorize.job SET facts = seen WHERE id = j.id;
    CALL vectorize.generate_sync(j);
    PERFORM vectorize.doubt_all(j.id);
END
$$;

-- What a doubt asks for: a sweep, and first a look at the source, or the worker that looks next would begin the sweep again and give up
-- what is being paid for.
CREATE OR REPLACE FUNCTION vectorize.sweep_in_doubt(job_id integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
    seen jsonb;
BEGIN
    SELECT * INTO j FROM vectorize.job WHERE id = job_id FOR NO KEY UPDATE;
    seen := vectorize.source_facts(j);
    IF vectorize.source_mismatch(j, seen) IS NULL THEN
        PERFORM vectorize.follow_source(j, seen);
    ELSE
        PERFORM vectorize.doubt_all(job_id);
    END IF;
END
$$;

-- Why the source cannot be read, or NULL: a right that its owner lost, a policy that raises. Tried here, before each of its rows is
-- blamed for it (unreadable.sql). The first row alone is none of that, nor what passes by itself.
CREATE OR REPLACE FUNCTION vectorize.read_failure(j vectorize.job) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('SELECT FROM vectorize_jobs.scan_%s(%s, 1, true)', j.id, vectorize.typed_keys(j, 'CAST(NULL AS %2$s)'));
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    IF vectorize.about_reading(sqlstate) = 'nothing' THEN
        RAISE;
    ELSIF vectorize.about_reading(sqlstate) = 'row' AND vectorize.second_reads(j) THEN
        RETURN NULL;
    END IF;
    RETURN vectorize.cannot_be_read(j, sqlerrm);
END
$$;

CREATE OR REPLACE FUNCTION vectorize.second_reads(j vectorize.job) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n integer := cardinality(j.key_columns);
BEGIN
    EXECUTE format('SELECT FROM vectorize_jobs.scan_%1$s(%2$s, 1, false) AS a, vectorize_jobs.scan_%1$s(%3$s, 1, true)', j.id,
        vectorize.typed_keys(j, 'CAST(NULL AS %2$s)'), vectorize.key_list(n, 'a.k%s'));
    RETURN true;
EXCEPTION WHEN OTHERS THEN
    RETURN false;
END
$$;

-- Stops a job with a reason that a person can act on; nothing is lost, `resume` goes on.
CREATE OR REPLACE FUNCTION vectorize.stop(job_id integer, why text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE vectorize.job SET state = 'stopped', reason = why, last_error = why, last_error_at = clock_timestamp()
    WHERE id = job_id AND state IN ('active', 'paused')
$$;

-- What went wrong last, for the status; not more than once a second, since all workers share the row.
CREATE OR REPLACE FUNCTION vectorize.note_error(job_id integer, error text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE vectorize.job SET last_error = left(error, 2000), last_error_at = clock_timestamp()
    WHERE id = job_id AND (last_error_at IS NULL OR last_error_at < clock_timestamp() - interval '1 second' OR last_error IS DISTINCT FROM left(error, 2000))
$$;

RESET ROLE;
