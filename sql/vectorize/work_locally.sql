-- A batch of an operation that calls nothing.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Render, compute, write. Nothing is called, so nothing is waited for.
CREATE OR REPLACE PROCEDURE vectorize.work_locally(INOUT s vectorize.session, j vectorize.job, d vectorize.deployment, lease bigint, versions bigint[])
LANGUAGE plpgsql AS $$
DECLARE
    batch vectorize.batch := vectorize.prepare(j, d, versions);
    results vectorize.result[];
    settled integer := 0;
BEGIN
    results := ARRAY(SELECT vectorize.computed(j, d, r, batch.texts[r.input]) FROM pg_catalog.unnest(batch.results) AS r);
    COMMIT;
    CALL vectorize.settle_results(s, settled, j, lease, results, NULL);
    CALL vectorize.end_batch(s, lease, versions, settled);
END
$$;

-- A row's result with what the operation makes of its text.
CREATE OR REPLACE FUNCTION vectorize.computed(j vectorize.job, d vectorize.deployment, r vectorize.result, content text) RETURNS vectorize.result
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF r.outcome = 'embed' THEN
        CASE j.operation
            WHEN 'vertex', 'edge' THEN r.value := content::jsonb;
            WHEN 'split' THEN r.pieces := vectorize.split(content, j.chunk_tokens, j.chunk_overlap, d.bytes_per_token);
        END CASE;
    END IF;
    RETURN r;
END
$$;

RESET ROLE;
