-- Declaring a job: `CALL vectorize.define('{"name": ..., "table": ..., "template": ..., "deployment": ..., "dimensions": ...}')`.

SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- A procedure, so that a retry holds no lock of the attempt before; call it outside a transaction block. Each attempt is whole
-- or nothing: brief locks on the source only, never a scan or a rewrite.
CREATE OR REPLACE PROCEDURE vectorize.define(spec jsonb)
LANGUAGE plpgsql AS $$
DECLARE
    problems text[] := ARRAY(SELECT vectorize.problems(spec));
    changes text[];
    obstacle text;
    line text;
BEGIN
    IF pg_catalog.cardinality(problems) > 0 THEN
        RAISE EXCEPTION E'job %: % to correct\n%', coalesce(spec ->> 'name', '(no name)'), pg_catalog.cardinality(problems),
            (SELECT pg_catalog.string_agg('- ' || p, E'\n') FROM pg_catalog.unnest(problems) AS p) USING ERRCODE = 'invalid_parameter_value';
    END IF;
    -- Without statistics nobody can say how many rows there are; a sample of them is read, whatever the table's size.
    IF EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = (spec ->> 'table')::regclass AND reltuples < 0) THEN
        BEGIN
            PERFORM pg_catalog.set_config('lock_timeout', '2s', true);
            EXECUTE pg_catalog.format('ANALYZE %s', (spec ->> 'table')::regclass);
        EXCEPTION WHEN lock_not_available THEN
            NULL;  -- autovacuum is at it
        END;
        COMMIT;
    END IF;
    FOR attempt IN 1..30 LOOP
        BEGIN
            PERFORM pg_catalog.set_config('lock_timeout', '2s', true);
            IF pg_catalog.pg_try_advisory_xact_lock(vectorize.lock_class(), 0) THEN
                CALL vectorize.apply(vectorize.full_spec(spec), (spec ->> 'table')::regclass, changes);
            ELSE
                obstacle := 'another session is defining a job';
            END IF;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            obstacle := sqlerrm;
            changes := NULL;
        END;
        COMMIT;
        EXIT WHEN changes IS NOT NULL;
        PERFORM pg_catalog.pg_sleep(0.1 + pg_catalog.random() * 0.9);
        COMMIT;
    END LOOP;
    IF changes IS NULL THEN
        RAISE EXCEPTION 'job %: gave up after 30 attempts: %', spec ->> 'name', obstacle
            USING ERRCODE = 'lock_not_available', HINT = 'A long transaction holds a lock on the source: end it, or define the job at a quieter time.';
    END IF;
    FOREACH line IN ARRAY changes LOOP
        RAISE NOTICE 'job %: %', spec ->> 'name', line;
    END LOOP;
END
$$;

-- One attempt. Where the text is cut into chunks, first their table, and then a generation that reads it.
CREATE OR REPLACE PROCEDURE vectorize.apply(spec jsonb, declared_source regclass, INOUT changes text[])
LANGUAGE plpgsql AS $$
DECLARE
    recorded record;
    read_from regclass := declared_source;
BEGIN
    changes := '{}';
    IF spec -> 'chunking' <> 'null' THEN
        recorded := vectorize.record_splitter(spec, declared_source);
        CALL vectorize.build(recorded.j, recorded.before, changes);
        read_from := (SELECT target_table FROM vectorize.job WHERE id = (recorded.j).id);
    END IF;
    recorded := vectorize.record_generation(spec, read_from, declared_source);
    CALL vectorize.build(recorded.j, recorded.before, changes);
END
$$;

-- Makes what one row of `job` needs, and adds to `changes` what is different from `before`. What belongs to the source's owner
-- is made as that owner; what is the engine's, by functions of the engine.
CREATE OR REPLACE PROCEDURE vectorize.build(j vectorize.job, before vectorize.job, INOUT changes text[])
LANGUAGE plpgsql AS $$
DECLARE
    owner text := (SELECT pg_catalog.pg_get_userbyid(relowner) FROM pg_catalog.pg_class WHERE oid = j.source);
    statement text;
    statements text[];
    triggers text[];
BEGIN
    IF before.fingerprint <> j.fingerprint THEN
        PERFORM vectorize.change_definition(j.id);
    END IF;
    PERFORM vectorize.open_schema(j, owner);
    IF vectorize.in_graph(j) THEN
        PERFORM vectorize.share_age(owner);
    END IF;
    statements := ARRAY(SELECT vectorize.target_statements(j));
    FOREACH statement IN ARRAY statements LOOP
        CALL vectorize.run_as(owner, statement);
    END LOOP;
    j := vectorize.record_target(j.id);
    triggers := ARRAY(SELECT vectorize.trigger_statements(j));
    statements := ARRAY(SELECT vectorize.access_statements(j)) || triggers;
    FOREACH statement IN ARRAY statements LOOP
        CALL vectorize.run_as(owner, statement);
    END LOOP;
    PERFORM vectorize.close_schema(j, owner);
    changes := changes || vectorize.finish_job(j.id, before, pg_catalog.cardinality(triggers) > 0);
END
$$;

RESET ROLE;
