-- Rows that cannot be read: a filter, a policy or an output function raises for one of them, a value is damaged or too large. Such a row
-- goes to quarantine; where it cannot be told from the others its job stops. The call goes on: other jobs are worked on in it.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- What an error of reading is about. 'job': nothing that one row could be blamed for, such as a right that is missing. 'nothing': it
-- passes by itself. Memory is asked for by one row, as is more of it than there can be (XX).
CREATE OR REPLACE FUNCTION vectorize.about_reading(state text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN state = '53200' THEN 'row'
        WHEN state ~ '^(40|53|55P03|57|58)' THEN 'nothing'
        WHEN state ~ '^(42|3F|0A|55000)' THEN 'job'
        ELSE 'row' END
$$;

CREATE OR REPLACE FUNCTION vectorize.cannot_be_read(j vectorize.job, error text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%s cannot be read: %s. Correct it, then CALL vectorize.resume(%L)',
        vectorize.table_name(j.source), rtrim(error, '. '), j.name)
$$;

-- What is left of a batch whose reading failed: its first half, until the row at fault is alone, which is a result itself. The rest has
-- no results, so the end of the batch gives it back.
CREATE OR REPLACE FUNCTION vectorize.prepare_less(
    j vectorize.job, d vectorize.deployment, versions bigint[], state text, error text
) RETURNS vectorize.batch
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    batch vectorize.batch;
    why text := 'reading the row failed: ' || error;
BEGIN
    IF vectorize.about_reading(state) = 'job' THEN
        PERFORM vectorize.stop(j.id, vectorize.cannot_be_read(j, error));
    ELSIF cardinality(versions) > 1 THEN
        batch := vectorize.prepare(j, d, versions[1:cardinality(versions) / 2]);
    ELSE
        PERFORM vectorize.note_error(j.id, why);
        -- A value in the row itself cannot be removed: that would read the row again.
        batch.results := ARRAY[ROW(
            versions[1], CASE j.target WHEN 'column' THEN 'kept' ELSE 'failed' END, NULL, NULL, why, NULL, NULL, NULL)::vectorize.result];
    END IF;
    RETURN batch;
END
$$;

RESET ROLE;
