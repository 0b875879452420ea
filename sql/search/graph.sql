-- A search that goes on in a graph: from the rows that mean most nearly what was asked, along edges, to what they have to do with.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- The `k` nearest rows of a job, which are vertices of the graph too, and what lies at most `hops` edges from each, whichever way the
-- edges point: each vertex once for a row, by the shortest way, nearest rows and vertices first. `labels` are those that are shown.
-- `properties` are agtype, as text. Runs with the caller's own rights on the source and on the graph, and reads the labels' tables: it needs no search path of age.
CREATE OR REPLACE FUNCTION vectorize.search_graph(
    graph text, job text, query text, k integer DEFAULT 10, hops integer DEFAULT 2, labels text[] DEFAULT NULL, filter jsonb DEFAULT NULL
)
RETURNS TABLE (key jsonb, distance float8, hop integer, label text, properties text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v jsonb := vectorize.vertices_of(graph, job);
BEGIN
    IF (hops BETWEEN 0 AND 10) IS NOT TRUE THEN
        RAISE EXCEPTION 'hops: % is not a whole number from 0 to 10', coalesce(hops::text, 'NULL') USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN QUERY EXECUTE format($q$
        WITH RECURSIVE hit AS MATERIALIZED (
            SELECT s.key, min(s.distance) AS distance FROM vectorize.search($1, $2, $3, $4) AS s GROUP BY s.key
        ), walk (key, distance, id, hop) AS (
            SELECT h.key, h.distance, m.id, 0 FROM hit AS h JOIN %1$s AS m ON %2$s
            UNION
            SELECT w.key, w.distance, e.id, w.hop + 1 FROM walk AS w CROSS JOIN LATERAL (
                SELECT o.end_id AS id FROM %3$I._ag_label_edge AS o WHERE o.start_id OPERATOR(ag_catalog.=) w.id
                UNION ALL
                SELECT o.start_id FROM %3$I._ag_label_edge AS o WHERE o.end_id OPERATOR(ag_catalog.=) w.id) AS e
            WHERE w.hop < $5
        ), reached AS (
            SELECT w.key, w.distance, w.id, min(w.hop) AS hop FROM walk AS w GROUP BY w.key, w.distance, w.id
        )
        SELECT r.key, r.distance, r.hop, c.relname::text, pg_catalog.concat(t.properties)
        FROM reached AS r JOIN %3$I._ag_label_vertex AS t ON t.id OPERATOR(ag_catalog.=) r.id JOIN pg_class AS c ON c.oid = t.tableoid
        WHERE $6 IS NULL OR c.relname = ANY ($6)
        ORDER BY r.distance, r.key, r.hop, c.relname, r.id USING OPERATOR(ag_catalog.<)
    $q$, v ->> 'keys', v ->> 'match', graph) USING job, query, k, filter, hops, labels;
END
$$;

-- Where the vertices that are rows of a job's table have their keys, and the condition that a found key `h` is one of them.
CREATE OR REPLACE FUNCTION vectorize.vertices_of(graph text, job text) RETURNS jsonb
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job := vectorize.job_named(vertices_of.job);
    v vectorize.job;
BEGIN
    SELECT * INTO v FROM vectorize.job AS o
    WHERE o.operation = 'vertex' AND o.arguments ->> 'graph' = vertices_of.graph AND o.source = j.declared_source AND o.state <> 'removed' ORDER BY o.name LIMIT 1;
    IF v.id IS NULL THEN
        RAISE EXCEPTION 'graph %: rows of %, which job % finds, are no vertices of it', graph, vectorize.table_name(j.declared_source), job
            USING ERRCODE = 'undefined_object', HINT = 'Declare vertices of that table, with the same key.';
    END IF;
    RETURN jsonb_build_object('keys', vectorize.label_key_name(graph, v.arguments ->> 'label'),
        'match', (SELECT string_agg(format('m.k%s %s CAST(h.key ->> %L AS %s)', x.ord, x.operator, x.name, x.type), ' AND ' ORDER BY x.ord)
                  FROM unnest(v.key_columns, v.key_operators, v.key_types) WITH ORDINALITY AS x (name, operator, type, ord)));
END
$$;

RESET ROLE;
