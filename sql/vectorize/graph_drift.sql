-- What somebody else wrote in a graph. The engine compares a row with its receipt, which says what it wrote, and not what became of that.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Empties the receipts of rows whose vertex or edge is not what they give, so that the sweep that follows queues them, and workers write
-- them anew. Rows that changed since they were written are queued anyway: where the receipt is not that of the row's present text, nothing
-- is compared, and so no row that a worker has at hand is taken for one that somebody changed. Receipts that are locked are being written.
CREATE OR REPLACE FUNCTION vectorize.empty_receipts(job_id integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    j vectorize.job := (SELECT o FROM vectorize.job AS o WHERE o.id = job_id AND vectorize.in_graph(o));
    found bigint;
BEGIN
    EXECUTE format(vectorize.with_marks(j, $x$
        WITH b AS MATERIALIZED (
            SELECT {b.k}, CAST(b.content AS jsonb) AS carried
            FROM vectorize_jobs.scan_{job}(%1$s, CAST(NULL AS integer), true) AS b JOIN vectorize_jobs.receipt_{job} AS r ON {r is b}
            WHERE r.embedded AND r.digest = sha256($1 || convert_to(b.content, 'UTF8'))
        ), changed AS MATERIALIZED (
            SELECT {b.k} FROM b JOIN %2$s AS m ON %3$s JOIN %4$s AS v ON v.id OPERATOR(ag_catalog.=) m.id %5$s
            WHERE concat(v.properties) <> concat(%6$s) %7$s
        ), emptied AS (
            UPDATE vectorize_jobs.receipt_{job} AS t SET digest = '' WHERE t.ctid = ANY (ARRAY(
                SELECT r.ctid FROM changed AS b JOIN vectorize_jobs.receipt_{job} AS r ON {r is b} FOR UPDATE OF r SKIP LOCKED))
            RETURNING true
        )
        SELECT count(*) FROM emptied$x$),
        vectorize.typed_keys(j, 'CAST(NULL AS %2$s)'),
        vectorize.label_key_name(j.arguments ->> 'graph', j.arguments ->> 'label'),
        vectorize.key_match(j, 'm.k{n}', 'b.k{n}'),
        vectorize.label_name(j.arguments ->> 'graph', j.arguments ->> 'label'),
        (SELECT string_agg('LEFT ' || vectorize.end_join(j, s.side), ' ') FROM unnest('{from,to}'::text[]) AS s (side) WHERE j.operation = 'edge'),
        vectorize.property_expression(j),
        CASE j.operation WHEN 'edge' THEN 'OR (v.start_id OPERATOR(ag_catalog.=) e_from.id AND v.end_id OPERATOR(ag_catalog.=) e_to.id) IS NOT TRUE' END)
    INTO found USING j.fingerprint;
    RETURN found;
END
$$;

-- Rows of a job's label that it did not write: no row of the source has their id. They are somebody's, and stay.
CREATE OR REPLACE FUNCTION vectorize.added_rows(j vectorize.job) RETURNS TABLE (id text, properties text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
BEGIN
    RETURN QUERY EXECUTE format(vectorize.with_marks(j, $x$
        SELECT concat(v.id), concat(v.properties) FROM ONLY %1$s AS v
        WHERE NOT EXISTS (SELECT FROM %2$s AS b JOIN vectorize_jobs.receipt_{job} AS r ON {r is b} WHERE r.embedded AND b.id OPERATOR(ag_catalog.=) v.id)$x$),
        vectorize.label_name(j.arguments ->> 'graph', j.arguments ->> 'label'), vectorize.label_key_name(j.arguments ->> 'graph', j.arguments ->> 'label'));
END
$$;

CREATE OR REPLACE FUNCTION vectorize.count_added(job_id integer) RETURNS bigint
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*) FROM vectorize.job AS j, vectorize.added_rows(j) WHERE j.id = job_id AND vectorize.in_graph(j)
$$;

-- Vertices and edges that somebody added to the labels of a graph.
CREATE OR REPLACE FUNCTION vectorize.added_to_graph(graph text) RETURNS TABLE (label text, id text, properties text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT j.arguments ->> 'label', a.id, a.properties FROM vectorize.job AS j, vectorize.added_rows(j) AS a
    WHERE vectorize.in_graph(j) AND j.arguments ->> 'graph' = $1 AND j.state <> 'removed' ORDER BY j.operation DESC, j.name, a.id
$$;

RESET ROLE;
