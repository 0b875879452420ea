-- Writing a value into its row fires the triggers of the source. One that sets a column of the template makes the text another one,
-- which is done again, paid for, and written, for ever. A row whose text such a write changes once (a trigger that tidies what was
-- there before it) is done again and stays; the third time it stops the job.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- What the job's trigger does before it notes another text of a row: asks whether that is a write of the job itself (settle.sql).
CREATE OR REPLACE FUNCTION vectorize.rewrite_check(j vectorize.job) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN j.target = 'table' THEN '' ELSE format('IF current_setting(''vectorize.writing'', true) = ''%1$s'' THEN
            PERFORM vectorize.note_rewrite(%1$s, concat_ws(''/'', %2$s)); END IF;', j.id, vectorize.key_list(cardinality(j.key_columns), 'noted_k%s')) END
$$;

-- The worker's session remembers the rows, by the first digits of their keys' MD5: more of them than three batches have. Settling
-- takes the error for one of no row in particular, and stops the job.
CREATE OR REPLACE FUNCTION vectorize.note_rewrite(job_id integer, key text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    setting text := 'vectorize.rewritten_' || job_id;
    mark text := left(md5(key), 12) || ' ';
    noted text := coalesce(current_setting(setting, true), '');
BEGIN
    IF length(noted) - length(replace(noted, mark, '')) >= 2 * length(mark) THEN
        RAISE EXCEPTION '%', format('each write changes the text itself: a trigger of %s sets a column of the template; use target '
            'kind table, or take the column out of the template', (SELECT vectorize.table_name(j.source) FROM vectorize.job AS j WHERE j.id = job_id))
            USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM set_config(setting, right(noted || mark, 8000 * length(mark)), false);
END
$$;

RESET ROLE;
