-- Render: what a claimed batch's rows say now, and what has to be done about each.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- A statement of its own, after the claim was committed: the versions were read before, the text is read now, so a text is
-- never older than its version. In one statement with the claim it can be, and the vector would be stale for ever.
CREATE OR REPLACE FUNCTION vectorize.prepare(job_id integer, versions bigint[])
RETURNS SETOF vectorize.rendered
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    j vectorize.job;
    n integer;
BEGIN
    SELECT * INTO j FROM vectorize.job WHERE id = job_id;
    n := cardinality(j.key_columns);
    RETURN QUERY EXECUTE replace(format($q$
        WITH batch AS MATERIALIZED (
            SELECT i.version, i.attempts, %1$s, row_number() OVER (ORDER BY i.version) AS ord
            FROM vectorize_jobs.item_{job} AS i WHERE i.version = ANY ($1)
        ), keys AS (
            SELECT %2$s FROM batch
        ), row_texts AS MATERIALIZED (
            SELECT t.ord, t.stored, t.content, sha256($2 || convert_to(t.content, 'UTF8')) AS digest FROM keys, vectorize_jobs.read_{job}(%3$s) AS t
        )
        SELECT b.version,
               CASE WHEN t.ord IS NULL THEN 'gone'
                    WHEN r.digest = t.digest AND r.embedded = t.stored THEN 'same'
                    WHEN t.content !~ '\S' THEN CASE WHEN t.stored THEN 'empty' ELSE 'blank' END
                    WHEN b.attempts > 5 THEN 'failed'
                    ELSE 'embed' END,
               t.digest, t.content
        FROM batch AS b
        LEFT JOIN row_texts AS t ON t.ord = b.ord
        LEFT JOIN vectorize_jobs.receipt_{job} AS r ON %4$s
        ORDER BY b.version
    $q$, vectorize.key_list(n, 'i.k%s'), vectorize.key_list(n, 'array_agg(k%s ORDER BY ord) AS a%s'), vectorize.key_list(n, 'keys.a%s'),
        vectorize.key_match(j, 'r.k{n}', 'b.k{n}')), '{job}', job_id::text)
    USING versions, j.fingerprint;
END
$$;

RESET ROLE;
