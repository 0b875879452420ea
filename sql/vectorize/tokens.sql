-- Tokens without a tokenizer: an estimate from what can be counted cheaply, and its calibration by what was billed.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- The tokens that a text is taken for, as cl100k (the tokenizer of the embedding models) counts them. It cuts a text into words with
-- their leading space, groups of up to three digits, runs of punctuation, and runs of white space; words are one token to a few. So:
-- 0.177 a byte, 0.86 for each piece that is no word, nothing for spaces beyond the first, and 0.28 more for each byte beyond a
-- character's first, which is right for Chinese, Japanese and Korean. Fitted to 14 kinds of English texts and 5 of code; the errors
-- are in docs/vectorization.md. `bytes_per_token` is the deployment's calibration and names the scale only: 4 leaves the estimate as
-- it is, and anything else multiplies it by 4 / bytes_per_token, as if a token had that many bytes where it usually has 4.
-- No SET clause and bound when it is made, so that it is inlined: about 10 us for 600 characters, nearly all of it the pattern.
CREATE OR REPLACE FUNCTION vectorize.tokens(content text, bytes_per_token real) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN greatest(1, round((
        0.177::float8 * octet_length(replace(content, '  ', ''))
        + 0.86::float8 * regexp_count(content COLLATE "C", '[0-9]{1,3}|[!-/:-@\[-`{-~]+|[\t\n\r]+')
        + 0.28::float8 * (octet_length(content) - length(content))
    ) * (4 / bytes_per_token)))::integer;

-- Learns a deployment's scale from tokens that were billed for texts, and the estimate of the same texts as vectorize.tokens gives it
-- now. Smoothed: the formula itself counts for 1,000 tokens, what was learned before for up to 100,000; one call moves the scale by
-- at most 2 times, and all of them by at most 4. What a job's own sample cost goes to its spend. Returns the new bytes_per_token.
CREATE OR REPLACE FUNCTION vectorize.calibrate(deployment text, estimated bigint, billed bigint, job text DEFAULT NULL) RETURNS real
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d vectorize.deployment;
    share float8;
    learned real;
BEGIN
    IF (estimated > 0 AND billed > 0) IS NOT TRUE THEN
        RAISE EXCEPTION 'estimated and billed tokens are numbers above 0, not % and %', estimated, billed USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT o.* INTO d FROM vectorize.deployment AS o WHERE o.name = calibrate.deployment FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no deployment %', calibrate.deployment USING ERRCODE = 'undefined_object',
            HINT = 'Deployments: ' || coalesce((SELECT string_agg(o.name, ', ' ORDER BY o.name) FROM vectorize.deployment AS o), 'none');
    END IF;
    share := billed / (billed + greatest(1000, least(d.calibration_tokens, 100000)))::float8;
    learned := least(16, greatest(1, d.bytes_per_token * power(least(2, greatest(0.5, estimated / billed::float8)), share)));
    UPDATE vectorize.deployment AS o SET bytes_per_token = learned, calibration_tokens = o.calibration_tokens + billed WHERE o.name = d.name;
    IF job IS NOT NULL THEN
        INSERT INTO vectorize.delta (job, tokens, requests) VALUES ((vectorize.job_named(calibrate.job)).id, billed, 1);
    END IF;
    RAISE NOTICE 'deployment %: % tokens were billed where % were estimated; estimates are multiplied by %, before by %',
        d.name, to_char(billed, 'FM999,999,999,999'), to_char(estimated, 'FM999,999,999,999'), round((4 / learned)::numeric, 3), round((4 / d.bytes_per_token)::numeric, 3);
    RETURN learned;
END
$$;

-- Some texts of a job as they are sent, for calibration, spread over the table; `tokens` is the estimate. It shows the rows of the
-- source, so it answers only to who may act as the owner of the source.
CREATE OR REPLACE FUNCTION vectorize.sample_texts(job text, most integer DEFAULT 100) RETURNS TABLE (content text, tokens integer)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    j vectorize.job := vectorize.job_named(sample_texts.job);
    owner oid := (SELECT c.relowner FROM pg_class AS c WHERE c.oid = j.source);
BEGIN
    IF NOT vectorize.embeds(j) THEN
        RAISE EXCEPTION 'job %: its operation is %; only embeddings tell what was billed', j.name, j.operation USING ERRCODE = 'wrong_object_type';
    END IF;
    IF NOT pg_has_role(session_user, owner, 'USAGE') THEN
        RAISE EXCEPTION 'job %: its texts belong to %, and % cannot act as it', j.name, pg_get_userbyid(owner), session_user
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    -- By a digest: the same texts each time, and no kind of them before another.
    RETURN QUERY EXECUTE format($q$
        SELECT s.content, vectorize.tokens(s.content, (SELECT d.bytes_per_token FROM vectorize.deployment AS d WHERE d.name = $3))
        FROM vectorize_jobs.sample_%s($1) AS s WHERE s.content ~ '\S' ORDER BY sha256(convert_to(s.content, 'UTF8')) LIMIT $2
    $q$, j.id) USING least(100, 100 * 5000.0 / greatest(1, vectorize.table_rows(j.source)))::real, most, j.deployment;
END
$$;

RESET ROLE;
