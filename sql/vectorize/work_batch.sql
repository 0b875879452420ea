-- One claimed batch: render, skip, pace, call, settle; and what becomes of it when the call fails.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

CREATE OR REPLACE PROCEDURE vectorize.work_batch(INOUT s vectorize.session, j vectorize.job, d vectorize.deployment, lease bigint, versions bigint[])
LANGUAGE plpgsql AS $$
DECLARE
    batch vectorize.batch := vectorize.prepare(j, d, versions);
    todo integer[] := '{}';  -- ranges of inputs still to be sent, as a stack of their ends
    low integer;
    high integer;
    wait float8;
    reply vectorize.reply;
    kind text;
    results vectorize.result[] := ARRAY(SELECT r FROM pg_catalog.unnest(batch.results) AS r WHERE r.outcome <> 'embed');
    settled integer := 0;
    leased_at timestamptz := pg_catalog.clock_timestamp();
    -- What a model is sent around each text, and what it answers, for the quota.
    around integer := CASE WHEN j.operation <> 'embed' THEN vectorize.characters_around(j) END;
    -- A model may leave open whether something is true; anything else without an answer is a failure that must be seen.
    no_answer text := CASE j.operation WHEN 'is_true' THEN 'empty' ELSE 'failed' END;
BEGIN
    IF pg_catalog.cardinality(results) > 0 THEN
        COMMIT;
        CALL vectorize.settle_results(s, settled, j, lease, results, NULL);
        COMMIT;
    END IF;
    IF batch.texts IS NOT NULL AND s.pause < 1 THEN
        todo := ARRAY[1, pg_catalog.cardinality(batch.texts)];
        s.row_tokens := (SELECT pg_catalog.avg(c) / 4 FROM pg_catalog.unnest(batch.characters) AS c) * 0.2 + coalesce(s.row_tokens, 100) * 0.8;
    END IF;
    WHILE pg_catalog.cardinality(todo) > 0 AND pg_catalog.clock_timestamp() < s.deadline LOOP
        high := todo[pg_catalog.cardinality(todo)];
        low := todo[pg_catalog.cardinality(todo) - 1];
        todo := pg_catalog.trim_array(todo, 2);
        IF low < high AND vectorize.too_large(d, batch.tokens[low:high], batch.characters[low:high]) THEN
            todo := todo || ARRAY[(low + high) / 2 + 1, high, low, (low + high) / 2];
            CONTINUE;
        END IF;
        IF leased_at < pg_catalog.clock_timestamp() - interval '60 seconds' THEN
            PERFORM vectorize.extend(lease, pg_catalog.cardinality(versions) - settled, vectorize.lease_seconds());
            leased_at := pg_catalog.clock_timestamp();
        END IF;
        wait := vectorize.reserve(d.name, batch.characters[low:high] || around, least(10, extract(epoch FROM s.deadline - pg_catalog.clock_timestamp())));
        COMMIT;
        s.waited := wait IS DISTINCT FROM 0;
        EXIT WHEN wait IS NULL;
        WHILE wait > 0 LOOP
            -- A second at a time and a commit between, since sleeping holds a snapshot.
            PERFORM pg_catalog.pg_sleep(least(1, wait));
            COMMIT;
            wait := wait - 1;
        END LOOP;
        IF j.operation = 'embed' THEN
            reply := vectorize.embed(d.name, batch.texts[low:high], CASE WHEN j.dimensions < d.dimensions THEN j.dimensions END, j.dimensions);
        ELSE
            reply := vectorize.enrich(j, batch.texts[low:high]);
        END IF;
        COMMIT;
        s.requests := s.requests + 1;
        kind := vectorize.judge(j, d, reply.state, reply.message, (SELECT pg_catalog.sum(t) FROM pg_catalog.unnest(batch.tokens[low:high] || around / 4) AS t));
        IF kind = 'input' THEN
            COMMIT;  -- the error is noted in the job's row, for which a definition may be waiting
        END IF;
        IF kind = 'done' OR kind = 'input' AND low = high THEN
            results := ARRAY(
                SELECT ROW(r.version, CASE WHEN kind <> 'done' THEN 'failed' WHEN reply.answers IS NULL OR reply.answers[r.input - low + 1] IS NOT NULL THEN 'embed'
                           ELSE no_answer END, r.digest, NULL, coalesce(reply.message, 'the service gave no answer for this text'), r.input - low + 1, NULL,
                           reply.answers[r.input - low + 1])::vectorize.result
                FROM pg_catalog.unnest(batch.results) AS r WHERE r.input BETWEEN low AND high);
            CALL vectorize.settle_results(s, settled, j, lease, results, reply.embeddings);
            EXIT WHEN s.pause = 1;  -- a lock is in the way of writing: nothing more is paid for
            CONTINUE WHEN pg_catalog.cardinality(todo) = 0;  -- committed with the end of the batch
        ELSIF kind = 'input' THEN
            todo := todo || ARRAY[(low + high) / 2 + 1, high, low, (low + high) / 2];
        ELSE
            todo := '{}';
        END IF;
        COMMIT;
    END LOOP;
    CALL vectorize.end_batch(s, lease, versions, settled);
END
$$;

-- Commits what was settled, and gives the rest back.
CREATE OR REPLACE PROCEDURE vectorize.end_batch(INOUT s vectorize.session, lease bigint, versions bigint[], settled integer)
LANGUAGE plpgsql AS $$
BEGIN
    IF settled < pg_catalog.cardinality(versions) THEN
        COMMIT;  -- what was settled is locked until then, and giving back waits for items that others are folding
        s.after_item := 0;
    END IF;
    PERFORM vectorize.finish_batch(s, lease, versions, settled);
    COMMIT;
END
$$;

-- Gives back what is left of a batch, without charging an attempt, and ends its lease unless rows of it are in hand.
CREATE OR REPLACE FUNCTION vectorize.finish_batch(s vectorize.session, lease_id bigint, versions bigint[], settled integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held bigint[];
BEGIN
    IF settled < cardinality(versions) THEN
        held := ARRAY(SELECT r.version FROM unnest(s.hand) AS r);
        PERFORM vectorize.give_back(s.job, lease_id, ARRAY(SELECT unnest(versions) EXCEPT SELECT unnest(held)));
    END IF;
    IF lease_id = ANY (s.hand_leases) THEN
        PERFORM vectorize.extend(lease_id, cardinality(held), vectorize.lease_seconds());
    ELSE
        PERFORM vectorize.end_lease(lease_id);
    END IF;
END
$$;

RESET ROLE;
