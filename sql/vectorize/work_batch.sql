-- One claimed batch: render, skip, call, settle; and what becomes of it when the call fails.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

CREATE OR REPLACE PROCEDURE vectorize.work_batch(INOUT s vectorize.session, j vectorize.job, d vectorize.deployment, lease bigint, versions bigint[])
LANGUAGE plpgsql AS $$
DECLARE
    batch vectorize.rendered[] := ARRAY(SELECT p FROM vectorize.prepare(j.id, versions) AS p);
    digests bytea[];
    texts text[];
    tokens integer[];
    todo integer[] := '{}';  -- ranges of inputs still to be sent, as a stack of their ends
    low integer;
    high integer;
    reply record;
    kind text;
    results vectorize.result[];
BEGIN
    COMMIT;
    results := ARRAY(
        SELECT ROW(b.version, b.outcome, b.digest, NULL, CASE WHEN b.outcome = 'failed' THEN 'its workers died five times' END, NULL)::vectorize.result
        FROM pg_catalog.unnest(batch) AS b WHERE b.outcome <> 'embed');
    CALL vectorize.settle_results(s, lease, results);
    -- Equal texts are one input.
    SELECT pg_catalog.array_agg(i.digest), pg_catalog.array_agg(i.content), pg_catalog.array_agg(vectorize.tokens(i.content, d.bytes_per_token)) INTO digests, texts, tokens
    FROM (SELECT DISTINCT ON (b.digest) b.digest, b.content FROM pg_catalog.unnest(batch) AS b WHERE b.outcome = 'embed') AS i;
    IF texts IS NOT NULL THEN
        todo := ARRAY[1, pg_catalog.cardinality(texts)];
    END IF;
    WHILE pg_catalog.cardinality(todo) > 0 AND pg_catalog.clock_timestamp() < s.deadline LOOP
        high := todo[pg_catalog.cardinality(todo)];
        low := todo[pg_catalog.cardinality(todo) - 1];
        todo := pg_catalog.trim_array(todo, 2);
        IF low < high AND vectorize.too_large(tokens[low:high]) THEN
            todo := todo || ARRAY[(low + high) / 2 + 1, high, low, (low + high) / 2];
            CONTINUE;
        END IF;
        PERFORM vectorize.extend(lease, pg_catalog.cardinality(versions), vectorize.lease_seconds());
        COMMIT;
        SELECT * INTO reply FROM vectorize.embed(d.name, texts[low:high], CASE WHEN j.dimensions < d.dimensions THEN j.dimensions END, j.dimensions);
        COMMIT;
        s.requests := s.requests + 1;
        kind := vectorize.judge(j, d, reply.state, reply.message, (SELECT pg_catalog.sum(t) FROM pg_catalog.unnest(tokens[low:high]) AS t));
        COMMIT;
        IF kind = 'done' THEN
            results := ARRAY(
                SELECT ROW(b.version, 'embed', b.digest, e.vector, NULL, NULL)::vectorize.result
                FROM pg_catalog.unnest(digests[low:high]) WITH ORDINALITY AS i (digest, ord)
                JOIN pg_catalog.unnest(reply.embeddings) AS e ON e.input = i.ord
                JOIN pg_catalog.unnest(batch) AS b ON b.digest = i.digest AND b.outcome = 'embed');
            CALL vectorize.settle_results(s, lease, results);
        ELSIF kind = 'input' AND low < high THEN
            todo := todo || ARRAY[(low + high) / 2 + 1, high, low, (low + high) / 2];
        ELSIF kind = 'input' THEN
            results := ARRAY(
                SELECT ROW(b.version, 'failed', b.digest, NULL, reply.message, NULL)::vectorize.result
                FROM pg_catalog.unnest(batch) AS b WHERE b.digest = digests[low] AND b.outcome = 'embed');
            CALL vectorize.settle_results(s, lease, results);
        ELSE
            EXIT;
        END IF;
    END LOOP;
    PERFORM vectorize.finish_batch(s, lease, versions);
    COMMIT;
END
$$;

-- Limits of one request: 300,000 tokens (OpenAI's embeddings reference). An input that may be over the model's own 8,192 goes
-- alone, so that its refusal costs one call and not a search for it; that estimates are not exact is left to the 400.
CREATE OR REPLACE FUNCTION vectorize.too_large(tokens integer[]) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT sum(t) > 240000 OR max(t) > 8192 FROM unnest(tokens) AS t
$$;

-- What a call's outcome means for the deployment and the job: 'done', 'input' (split), 'later' or 'stop'.
CREATE OR REPLACE FUNCTION vectorize.judge(j vectorize.job, d vectorize.deployment, state text, message text, sent_tokens bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind text;
    failures integer;
BEGIN
    INSERT INTO vectorize.delta (job, tokens, requests) VALUES (j.id, CASE WHEN state IS NULL THEN sent_tokens ELSE 0 END, 1);
    IF state IS NULL THEN
        PERFORM vectorize.call_succeeded(d.name);
        RETURN 'done';
    END IF;
    kind := CASE state WHEN 'dimensions' THEN 'here' WHEN 'count' THEN 'later' ELSE vectorize.classify(state, message) END;
    IF kind = 'input' THEN
        PERFORM vectorize.note_error(j.id, message);
        RETURN 'input';
    END IF;
    IF kind = 'refused' AND vectorize.call_refused(d.name) THEN
        kind := 'later';
    ELSIF kind = 'later' AND message !~ '^\s*[a-z_]+\.[a-z_]+: *\d{3}' THEN
        -- No status to go by. A hiccup passes; ten in a row are something that a person has to look at.
        SELECT failures_in_a_row INTO failures FROM vectorize.deployment WHERE name = d.name;
        kind := CASE WHEN failures >= 9 THEN 'here' ELSE 'later' END;
    END IF;
    IF kind = 'later' THEN
        PERFORM vectorize.back_off(d.name, vectorize.retry_after(message));
        PERFORM vectorize.note_error(j.id, message);
        RETURN 'later';
    END IF;
    PERFORM vectorize.stop(j.id, format('%s. %s, then CALL vectorize.resume(%L)', rtrim(message, '. '),
        CASE WHEN kind = 'refused' THEN format('Check that deployment %s exists and that the server''s identity or key may use it', d.name)
             WHEN state = 'dimensions' THEN 'Correct the deployment or the job''s dimensions'
             ELSE 'Check azure_ai in this database: the extension, its settings, and the worker''s rights' END, j.name));
    RETURN 'stop';
END
$$;

-- Gives back what is left of a batch, without charging an attempt, and ends its lease unless rows of it are in hand.
CREATE OR REPLACE FUNCTION vectorize.finish_batch(s vectorize.session, lease_id bigint, versions bigint[]) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    held bigint[] := ARRAY(SELECT r.version FROM unnest(s.hand) AS r);
BEGIN
    PERFORM vectorize.give_back(s.job, lease_id, ARRAY(SELECT unnest(versions) EXCEPT SELECT unnest(held)), true);
    IF lease_id = ANY (s.hand_leases) THEN
        PERFORM vectorize.extend(lease_id, cardinality(held), vectorize.lease_seconds());
    ELSE
        PERFORM vectorize.end_lease(lease_id);
    END IF;
END
$$;

RESET ROLE;
