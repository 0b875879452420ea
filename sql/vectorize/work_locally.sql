-- A batch of an operation that calls nothing.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Render, compute, write. Nothing is called, so nothing is waited for; but to cut long texts takes a while.
CREATE OR REPLACE PROCEDURE vectorize.work_locally(INOUT s vectorize.session, j vectorize.job, d vectorize.deployment, lease bigint, versions bigint[])
LANGUAGE plpgsql AS $$
DECLARE
    batch vectorize.batch := vectorize.prepare(j, d, versions);
    results vectorize.result[];
    settled integer := 0;
BEGIN
    IF j.operation = 'split' THEN
        CALL vectorize.cut_texts(s, j, d, lease, batch, results);
    ELSE
        results := ARRAY(SELECT vectorize.computed(j, d, r, batch.texts[r.input]) FROM pg_catalog.unnest(batch.results) AS r);
    END IF;
    COMMIT;
    CALL vectorize.settle_results(s, settled, j, lease, results, NULL);
    CALL vectorize.end_batch(s, lease, versions, settled);
END
$$;

-- The results of a batch whose texts are cut: one row at least, then as many as the time and the memory allow. The lease of a long text
-- is as much longer: 10 seconds a million characters, of which it takes 1 to 4.
CREATE OR REPLACE PROCEDURE vectorize.cut_texts(
    s vectorize.session, j vectorize.job, d vectorize.deployment, lease bigint, batch vectorize.batch, INOUT results vectorize.result[]
)
LANGUAGE plpgsql AS $$
DECLARE
    r vectorize.result;
    cut bigint := 0;
    leased_at timestamptz := pg_catalog.clock_timestamp();
BEGIN
    results := '{}';
    FOREACH r IN ARRAY coalesce(batch.results, '{}') LOOP
        EXIT WHEN cut > 0 AND (cut + batch.characters[r.input] > 50000000 OR pg_catalog.clock_timestamp() >= s.deadline);
        IF batch.characters[r.input] > 1000000 OR leased_at < pg_catalog.clock_timestamp() - interval '60 seconds' THEN
            PERFORM vectorize.extend(lease, pg_catalog.cardinality(batch.results),
                                     vectorize.lease_seconds() + coalesce(batch.characters[r.input], 0) / 100000);
            COMMIT;
            leased_at := pg_catalog.clock_timestamp();
        END IF;
        BEGIN
            r := vectorize.computed(j, d, r, batch.texts[r.input]);
        EXCEPTION WHEN OTHERS THEN
            r.outcome := 'failed';
            r.error := 'cutting the text failed: ' || sqlerrm;
            PERFORM vectorize.note_error(j.id, r.error);
        END;
        results := results || r;
        cut := cut + coalesce(batch.characters[r.input], 0);
    END LOOP;
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
