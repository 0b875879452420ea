-- Render: what a claimed batch's rows say now, and what has to be done about each.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- A statement of its own, after the claim was committed: the versions were read before, the text is read now, so a text is
-- never older than its version. In one statement with the claim it can be, and the vector would be stale for ever.
CREATE OR REPLACE FUNCTION vectorize.prepare(j vectorize.job, d vectorize.deployment, versions bigint[]) RETURNS vectorize.batch
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    batch vectorize.batch;
BEGIN
    PERFORM vectorize.keep_definition(j.id);
    IF j.fingerprint <> (SELECT o.fingerprint FROM vectorize.job AS o WHERE o.id = j.id) THEN
        RETURN NULL;  -- defined anew since the round began: the batch goes back, before it is paid for
    END IF;
    EXECUTE format('SELECT * FROM vectorize_jobs.prepare_%s($1, $2, $3)', j.id) INTO batch USING j.fingerprint, coalesce(d.bytes_per_token, 4), versions;
    RETURN batch;
EXCEPTION WHEN OTHERS THEN
    IF vectorize.about_reading(sqlstate) = 'nothing' THEN
        RAISE;
    END IF;
    RETURN vectorize.prepare_less(j, d, versions, sqlstate, sqlerrm);
END
$$;

-- A row in quarantine stays there while its text is the same; `retry` forgets what that was. Equal texts are one input. The order
-- of inputs is that of their digests, which is as good as chance: so the tokens of the first 1,000 bytes, counted closely, tell
-- what the other bytes of the batch weigh. Counting all would take longer than writing the vectors. A row that killed a worker once
-- more when it was to be quarantined is not even read: it is alone (take_suspect), and reading it is what may kill.
CREATE OR REPLACE FUNCTION vectorize.prepare_step() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$ SELECT $step$
DECLARE
    batch vectorize.batch;
BEGIN
    WITH claimed AS MATERIALIZED (
        SELECT i.version, i.attempts, {i.k}, row_number() OVER (ORDER BY i.version) AS ord
        FROM vectorize_jobs.item_{job} AS i WHERE i.version = ANY (wanted)
    ), keys AS (
        SELECT {arrays} FROM claimed WHERE attempts <= 6
    ), row_texts AS MATERIALIZED (
        SELECT t.ord, t.stored, t.content, sha256(fingerprint || convert_to(t.content, 'UTF8')) AS digest FROM keys, vectorize_jobs.read_{job}({keys}) AS t
    ), judged AS MATERIALIZED (
        SELECT b.version, t.digest, t.content,
               CASE WHEN b.attempts > 6 THEN 'kept'
                    WHEN t.ord IS NULL THEN 'gone'
                    WHEN r.digest = t.digest AND r.embedded = t.stored THEN 'same'
                    WHEN t.content !~ '\S' THEN CASE WHEN t.stored THEN 'empty' ELSE 'blank' END
                    WHEN f.digest = t.digest THEN 'kept'
                    WHEN b.attempts > 5 THEN 'failed'
                    ELSE 'embed' END AS outcome,
               CASE WHEN b.attempts > 6 THEN 'its workers died six times' ELSE f.error END AS error
        FROM claimed AS b LEFT JOIN row_texts AS t ON t.ord = b.ord
        LEFT JOIN LATERAL (SELECT r.digest, r.embedded FROM vectorize_jobs.receipt_{job} AS r WHERE {r is b} LIMIT 1) AS r ON true
        LEFT JOIN LATERAL (SELECT f.digest, f.error FROM vectorize_jobs.failure_{job} AS f WHERE {f is b} LIMIT 1) AS f ON true
    ), inputs AS MATERIALIZED (
        SELECT i.*, CASE WHEN i.before < 1000 THEN vectorize.tokens(i.content, bytes_per_token) END AS tokens
        FROM (SELECT t.digest, t.content, t.bytes, row_number() OVER w AS input, sum(t.bytes) OVER w - t.bytes AS before
              FROM (SELECT DISTINCT ON (o.digest) o.digest, o.content, octet_length(o.content) AS bytes FROM judged AS o
                    WHERE o.outcome = 'embed' ORDER BY o.digest) AS t
              WINDOW w AS (ORDER BY t.digest)) AS i
    ), counted AS MATERIALIZED (  -- once, not for each text
        SELECT sum(i.tokens)::float8 / sum(i.bytes) AS tokens_a_byte FROM inputs AS i WHERE i.tokens IS NOT NULL
    )
    SELECT (SELECT array_agg(ROW(o.version, o.outcome, o.digest, NULL,
                                 CASE o.outcome WHEN 'failed' THEN 'its workers died five times' WHEN 'kept' THEN o.error END,
                                 CASE WHEN o.outcome = 'embed' THEN t.input END, NULL, NULL)::vectorize.result ORDER BY o.version)
            FROM judged AS o LEFT JOIN inputs AS t ON t.digest = o.digest),
           array_agg(t.content ORDER BY t.input), array_agg(coalesce(t.tokens, greatest(1, round(t.bytes * c.tokens_a_byte)))::integer ORDER BY t.input),
           array_agg(length(t.content) ORDER BY t.input)
    INTO batch FROM inputs AS t, counted AS c;
    RETURN batch;
END $step$ $$;

RESET ROLE;
