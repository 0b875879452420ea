-- Does every vector belong to its row's present text? A sweep over all rows and all receipts.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Compares every row with its receipt, every receipt with its row, and queues what differs; workers mend it. `report` says what
-- was found: missing (never embedded, or its vector was removed), stale (another text), orphaned (the row is gone). Of a label of a
-- graph, what is there is compared too, and `added` tells what somebody else put there.
CREATE OR REPLACE PROCEDURE vectorize.verify(job text, INOUT report jsonb DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    j vectorize.job;
    one jsonb;
    fed record;
BEGIN
    report := '{"missing": 0, "stale": 0, "orphaned": 0}';
    FOREACH j IN ARRAY ARRAY(SELECT r FROM vectorize.job_rows(verify.job) AS r WHERE r.standing <> 'previous') LOOP
        PERFORM vectorize.ensure_steps(j.id);
        IF vectorize.in_graph(j) THEN
            PERFORM vectorize.empty_receipts(j.id);
            COMMIT;
        END IF;
        PERFORM vectorize.restart_sweep(j.id);
        COMMIT;
        LOOP
            SELECT * INTO fed FROM vectorize.feed(j.id, 2000);
            COMMIT;
            EXIT WHEN NOT fed.more;
        END LOOP;
        one := vectorize.sweep_report(j.id);
        report := (SELECT pg_catalog.jsonb_object_agg(r.key, r.value::bigint + (one ->> r.key)::bigint) FROM pg_catalog.jsonb_each_text(report) AS r);
        IF vectorize.in_graph(j) THEN
            report := pg_catalog.jsonb_set(report, '{added}', pg_catalog.to_jsonb(vectorize.count_added(j.id)));
        END IF;
    END LOOP;
    RAISE NOTICE 'job %: % missing, % stale, % orphaned', verify.job, report ->> 'missing', report ->> 'stale', report ->> 'orphaned';
    IF (report ->> 'added')::bigint > 0 THEN
        RAISE NOTICE 'job %: % that somebody else added stay (vectorize.added_to_graph)', verify.job, report ->> 'added';
    END IF;
END
$$;

CREATE OR REPLACE FUNCTION vectorize.sweep_report(job_id integer) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    report jsonb;
BEGIN
    EXECUTE format('SELECT jsonb_build_object(''missing'', missing, ''stale'', stale, ''orphaned'', orphaned) FROM vectorize_jobs.sweep_%s', job_id) INTO report;
    RETURN report;
END
$$;

RESET ROLE;
