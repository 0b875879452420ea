-- The steps of every batch, as functions of one job: their statements name its tables, and so are planned once a session
-- and not once a batch. What they say is beside the step (fold.sql, claim.sql, sweep.sql, prepare.sql, settle.sql).
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Makes the steps of a job that are missing, that are somebody else's, or that this version of the engine writes in another way.
-- Workers call it, so that an upgrade or another definition of the job needs no step of its own.
CREATE OR REPLACE FUNCTION vectorize.ensure_steps(job_id integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    step record;
    old regprocedure;
BEGIN
    IF NOT EXISTS (SELECT FROM vectorize.due_steps(job_id)) THEN
        RETURN;
    END IF;
    -- One worker at a time; the others find nothing left to do.
    PERFORM FROM vectorize.job WHERE id = job_id FOR NO KEY UPDATE;
    FOR step IN SELECT * FROM vectorize.due_steps(job_id) LOOP
        FOR old IN SELECT p.oid FROM pg_proc AS p WHERE p.pronamespace = 'vectorize_jobs'::regnamespace AND p.proname = step.name LOOP
            EXECUTE format('DROP FUNCTION %s', old);
        END LOOP;
        -- The way to the rows is always by an index, whatever the statistics of a queue say that was empty a minute ago.
        EXECUTE format('CREATE FUNCTION vectorize_jobs.%s(%s) RETURNS %s LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
            SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_mergejoin = off SET jit = off AS %L',
            step.name, step.arguments, step.result, step.body);
    END LOOP;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.due_steps(job_id integer) RETURNS TABLE (name text, arguments text, result text, body text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.name || '_' || j.id, s.arguments, s.result, m.body
    FROM vectorize.job AS j, vectorize.step_functions(j) AS s, vectorize.with_marks(j, s.body) AS m (body)
    WHERE j.id = job_id AND NOT EXISTS (
        SELECT FROM pg_proc AS p
        WHERE p.pronamespace = 'vectorize_jobs'::regnamespace AND p.proname = s.name || '_' || j.id AND p.prosrc = m.body
          AND p.proowner = 'vectorize_owner'::regrole)
$$;

CREATE OR REPLACE FUNCTION vectorize.step_functions(j vectorize.job) RETURNS TABLE (name text, arguments text, result text, body text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.* FROM (VALUES
        ('fold', 'after_id bigint, seen_id bigint, most integer, new_lease bigint, OUT folded integer, OUT last_id bigint, OUT newest_id bigint,
                  OUT versions bigint[]', 'record', vectorize.fold_step()),
        ('claim', 'after_version bigint, most integer, new_lease bigint', 'bigint[]', vectorize.claim_step()),
        ('feed', 'page_size integer, most integer, new_lease bigint, OUT seen integer, OUT queued integer, OUT versions bigint[],
                  OUT more boolean', 'record', vectorize.feed_step()),
        ('prepare', 'fingerprint bytea, bytes_per_token real, wanted bigint[]', 'vectorize.batch', vectorize.prepare_step()),
        ('hold', 'fingerprint bytea, results vectorize.result[], OUT ready bigint[], OUT held bigint[]', 'record',
         CASE j.target WHEN 'column' THEN vectorize.hold_step() END),
        ('write', vectorize.typed_keys(j, 'vectorize_a%s %s[]') || ', vectorize_vectors jsonb[]', 'boolean', CASE WHEN vectorize.in_graph(j) THEN vectorize.graph_writer(j) END),
        ('settle', 'results vectorize.result[], ready bigint[], vectors vectorize.embedding[]', 'vectorize.delta', vectorize.settle_step(j))
    ) AS f (name, arguments, result, body) WHERE f.body IS NOT NULL
$$;

-- {job} is the job's number, {k} its key "k1, k2"; {i.k} "i.k1, i.k2", and so on; {keys} the key's columns as arrays.
CREATE OR REPLACE FUNCTION vectorize.with_marks(j vectorize.job, body text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n integer := cardinality(j.key_columns);
    part record;
BEGIN
    FOR part IN
        SELECT * FROM (VALUES
            ('{job}', j.id::text), ('{k}', vectorize.key_list(n, 'k%s')),
            ('{i.k}', vectorize.key_list(n, 'i.k%s')), ('{r.k}', vectorize.key_list(n, 'r.k%s')), ('{b.k}', vectorize.key_list(n, 'b.k%s')),
            ('{p.k}', vectorize.key_list(n, 'p.k%s')), ('{sweep.k}', vectorize.key_list(n, 'sweep.k%s')),
            ('{arrays}', vectorize.key_list(n, 'array_agg(k%s ORDER BY ord) AS a%s')), ('{keys}', vectorize.key_list(n, 'keys.a%s')),
            ('{set s.k}', vectorize.key_list(n, 'k%s = page.k%s')),
            ('{r is b}', vectorize.key_match(j, 'r.k{n}', 'b.k{n}')), ('{f is b}', vectorize.key_match(j, 'f.k{n}', 'b.k{n}')),
            ('{r after sweep}', vectorize.key_after(j, 'r.k{n}', 'sweep.k{n}')),
            ('{key arrays}', vectorize.key_list(n, 'array_agg(d.k%s)'))) AS p (mark, value)
    LOOP
        body := replace(body, part.mark, part.value);
    END LOOP;
    RETURN body;
END
$$;

RESET ROLE;
