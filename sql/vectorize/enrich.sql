-- The calls of all operations but embeddings. They run as the worker's own role: who may use azure_ai is azure_ai's matter.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- What a service or a model says about the texts, in one request. The call stands alone in its EXCEPTION block, as in vectorize.embed.
-- A JSON null is no answer.
CREATE OR REPLACE FUNCTION vectorize.enrich(j vectorize.job, texts text[]) RETURNS vectorize.reply
LANGUAGE plpgsql AS $$
DECLARE
    reply vectorize.reply;
BEGIN
    BEGIN
        IF j.operation IN ('generate', 'extract', 'is_true') THEN
            reply.answers := ARRAY[vectorize.ask(j, texts[1])];
        ELSE
            reply.answers := vectorize.analyze(j, texts);
        END IF;
        reply.answers := ARRAY(SELECT nullif(a, 'null') FROM pg_catalog.unnest(reply.answers) AS a);
    EXCEPTION WHEN OTHERS THEN
        -- An answer that is no value of its type (JSON that does not end) is this text's, and nobody else's.
        reply.state := CASE WHEN sqlstate ~ '^22' THEN 'answer' ELSE sqlstate END;
        reply.message := sqlerrm;
        RETURN reply;
    END;
    IF pg_catalog.cardinality(reply.answers) <> pg_catalog.cardinality(texts) THEN
        reply.state := 'count';
        reply.message := pg_catalog.format('operation %s: %s answers for %s texts', j.operation, pg_catalog.cardinality(reply.answers), pg_catalog.cardinality(texts));
    END IF;
    RETURN reply;
END
$$;

-- Azure AI Language. batch_size is the number of texts, so that it is one request; the functions stand among the results, where a
-- composite type stays one column. Names of attributes are used where the service documents them, else their order (unverified).
CREATE OR REPLACE FUNCTION vectorize.analyze(j vectorize.job, texts text[]) RETURNS jsonb[]
LANGUAGE plpgsql AS $$
DECLARE
    size integer := pg_catalog.cardinality(texts);
    language text := j.arguments ->> 'language';
BEGIN
    CASE j.operation
        WHEN 'sentiment' THEN
            RETURN ARRAY(SELECT CASE j.type WHEN 'text' THEN pg_catalog.to_jsonb((a.result).sentiment) ELSE pg_catalog.to_jsonb(a.result) END FROM (
                SELECT azure_cognitive.analyze_sentiment(text => texts, language => language, batch_size => size,
                    timeout_ms => 90000, throw_on_error => true, max_attempts => 1) AS result) AS a);
        WHEN 'language' THEN
            RETURN ARRAY(SELECT CASE j.type WHEN 'text' THEN vectorize.field_at(pg_catalog.row_to_json(a.result), 2) ELSE pg_catalog.to_jsonb(a.result) END FROM (
                SELECT azure_cognitive.detect_language(text => texts, batch_size => size,
                    timeout_ms => 90000, throw_on_error => true, max_attempts => 1) AS result) AS a);
        WHEN 'key_phrases' THEN
            RETURN ARRAY(SELECT pg_catalog.to_jsonb(a.result) FROM (
                SELECT azure_cognitive.extract_key_phrases(text => texts, language => language, batch_size => size,
                    timeout_ms => 90000, throw_on_error => true, max_attempts => 1) AS result) AS a);
        WHEN 'entities' THEN
            RETURN ARRAY(SELECT pg_catalog.to_jsonb(a.result) FROM (
                SELECT azure_cognitive.recognize_entities(text => texts, language => language, batch_size => size,
                    timeout_ms => 90000, throw_on_error => true, max_attempts => 1) AS result) AS a);
        WHEN 'pii' THEN
            RETURN ARRAY(SELECT CASE j.type WHEN 'text' THEN pg_catalog.to_jsonb((a.result).redacted_text) ELSE pg_catalog.to_jsonb(a.result) END FROM (
                SELECT azure_cognitive.recognize_pii_entities(text => texts, language => language, domain => coalesce(j.arguments ->> 'domain', 'none'),
                    batch_size => size, timeout_ms => 90000, throw_on_error => true, max_attempts => 1) AS result) AS a);
        WHEN 'summary' THEN
            -- An empty list is what a text that failed was seen to give (an old tutorial of azure_ai), so it is no answer.
            RETURN ARRAY(SELECT CASE WHEN pg_catalog.cardinality(a.result) = 0 THEN NULL
                                     WHEN j.type = 'text' THEN pg_catalog.to_jsonb(pg_catalog.array_to_string(a.result, ' ')) ELSE pg_catalog.to_jsonb(a.result) END FROM (
                SELECT azure_cognitive.summarize_abstractive(text => texts, language => language, sentence_count => coalesce((j.arguments ->> 'sentences')::integer, 3),
                    batch_size => size, timeout_ms => 90000, throw_on_error => true, max_attempts => 1) AS result) AS a);
    END CASE;
END
$$;

-- A chat model, one text a call. These functions take no time limit and no number of attempts.
CREATE OR REPLACE FUNCTION vectorize.ask(j vectorize.job, content text) RETURNS jsonb
LANGUAGE plpgsql AS $$
DECLARE
    system text := coalesce(j.arguments ->> 'system', 'You are a helpful assistant.');  -- azure_ai's own default
BEGIN
    CASE j.operation
        WHEN 'generate' THEN
            IF j.arguments ? 'json_schema' THEN
                RETURN azure_ai.generate(prompt => content, json_schema => j.arguments -> 'json_schema', model => j.deployment, system_prompt => system)::text::jsonb;
            END IF;
            RETURN pg_catalog.to_jsonb(azure_ai.generate(prompt => content, model => j.deployment, system_prompt => system)::text);
        WHEN 'extract' THEN
            RETURN azure_ai.extract(document => content, data => ARRAY(SELECT pg_catalog.jsonb_array_elements_text(j.arguments -> 'labels')), model => j.deployment);
        WHEN 'is_true' THEN
            RETURN pg_catalog.to_jsonb(azure_ai.is_true(statement => content, model => j.deployment));
    END CASE;
END
$$;

-- The value of the `place`th attribute of a composite value: JSON keeps their order, jsonb does not.
CREATE OR REPLACE FUNCTION vectorize.field_at(composite json, place integer) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT to_jsonb(f.value) FROM json_each_text(composite) WITH ORDINALITY AS f (name, value, ord) WHERE f.ord = place
$$;

-- The characters that a model is sent around a text, and 4 for each token of its answer: the quota counts both. Lengths of answers are
-- assumptions; azure_ai returns no usage. NULL where the service counts no tokens.
CREATE OR REPLACE FUNCTION vectorize.characters_around(j vectorize.job) RETURNS integer
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT length(j.arguments::text) + 4 * CASE j.operation
        WHEN 'generate' THEN 200
        WHEN 'extract' THEN 30 * jsonb_array_length(j.arguments -> 'labels')
        WHEN 'is_true' THEN 5 END
$$;

RESET ROLE;
