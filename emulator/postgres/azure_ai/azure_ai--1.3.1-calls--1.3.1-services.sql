\echo Use "CREATE EXTENSION azure_ai" to load this file. \quit

-- Azure OpenAI and Azure AI Language.

-- Azure OpenAI --------------------------------------------------------------------------------------------------------

-- The embeddings of an answer in the order of the request, which each one's index tells; whether the real extension looks
-- at it is unverified. Splitting the emulator's own compact JSON, where the index comes just before its embedding, takes a
-- third of the time of json functions, which read the whole answer three times.
CREATE FUNCTION azure_openai.emulator_vectors(answer text) RETURNS SETOF real[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT ('{' || split_part(part, ']', 1) || '}')::real[]
    FROM (SELECT part, n, substring(right(lag(part) OVER (ORDER BY n), 30) FROM '"index":(\d+),$')::integer AS index
          FROM string_to_table(answer, '"embedding":[') WITH ORDINALITY AS parts(part, n)) AS parts
    WHERE n > 1 ORDER BY index, n
$$;

-- IMMUTABLE as on the service, where Microsoft's samples use it in generated columns. A NULL text is not sent and has a
-- NULL vector; so has every text of a batch that failed, where throw_on_error is off. Unverified.
CREATE FUNCTION azure_openai.create_embeddings(
    deployment_name text, input text[], batch_size integer DEFAULT 100, dimensions integer DEFAULT NULL,
    timeout_ms integer DEFAULT 3600000, throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1,
    retry_delay_ms integer DEFAULT 1000) RETURNS TABLE (embedding real[])
LANGUAGE plpgsql IMMUTABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    caller constant text := 'azure_openai.create_embeddings';
    path constant text := format('/openai/deployments/%s/embeddings?api-version=2024-10-21',
        azure_ai.emulator_url_part(deployment_name));
    options constant text := CASE WHEN dimensions IS NULL THEN '}' ELSE format(',"dimensions":%s}', dimensions) END;
    size constant integer := greatest(coalesce(batch_size, 100), 1);
    batch text[];
    texts text[];
    answer text;
    failure text;
BEGIN
    FOR low IN 1 .. coalesce(cardinality(input), 0) BY size LOOP
        batch := (input[:])[low:low + size - 1];
        texts := array_remove(batch, NULL);
        IF cardinality(texts) > 0 THEN
            SELECT c.answer, c.failure INTO answer, failure FROM azure_ai.emulator_call('azure_openai', path,
                '{"input":' || to_json(texts) || options, timeout_ms, max_attempts, retry_delay_ms) AS c;
        END IF;
        IF failure IS NOT NULL THEN
            PERFORM azure_ai.emulator_report(caller, failure, throw_on_error);
        END IF;
        IF failure IS NOT NULL OR cardinality(texts) = 0 THEN
            RETURN QUERY SELECT NULL::real[] FROM unnest(batch);
        ELSIF cardinality(texts) = cardinality(batch) THEN
            RETURN QUERY SELECT azure_openai.emulator_vectors(answer);
        ELSE
            RETURN QUERY
                SELECT v.vector
                FROM (SELECT n, CASE WHEN t IS NOT NULL THEN count(t) OVER (ORDER BY n) END AS position
                      FROM unnest(batch) WITH ORDINALITY AS b(t, n)) AS given
                LEFT JOIN azure_openai.emulator_vectors(answer) WITH ORDINALITY AS v(vector, position) USING (position)
                ORDER BY given.n;
        END IF;
    END LOOP;
END
$$;

CREATE FUNCTION azure_openai.create_embeddings(
    deployment_name text, input text, dimensions integer DEFAULT NULL, timeout_ms integer DEFAULT 3600000,
    throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1, retry_delay_ms integer DEFAULT 1000)
RETURNS real[] LANGUAGE sql IMMUTABLE
RETURN (
    SELECT e.embedding
    FROM azure_openai.create_embeddings(deployment_name, ARRAY[input], 1, dimensions, timeout_ms, throw_on_error,
        max_attempts, retry_delay_ms) AS e);

-- Chat models ---------------------------------------------------------------------------------------------------------

-- The content of a model's answer. What azure_ai sends to a model is not published: prompts and schemas here are the
-- emulator's own; that generate sends temperature 0.2 is what one project saw.
CREATE FUNCTION azure_ai.emulator_chat(
    function_name text, model text, system_prompt text, prompt text, json_schema jsonb) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    path constant text := format('/openai/deployments/%s/chat/completions?api-version=2024-10-21',
        azure_ai.emulator_url_part(model));
    body constant jsonb := jsonb_build_object('temperature', 0.2, 'messages', jsonb_build_array(
            jsonb_build_object('role', 'system', 'content', system_prompt),
            jsonb_build_object('role', 'user', 'content', prompt)))
        || CASE WHEN json_schema IS NULL THEN '{}' ELSE jsonb_build_object('response_format',
            jsonb_build_object('type', 'json_schema', 'json_schema', json_schema)) END;
    answer text;
    failure text;
BEGIN
    SELECT c.answer, c.failure INTO answer, failure
    FROM azure_ai.emulator_call('azure_openai', path, body::text, NULL, 1, NULL) AS c;
    IF failure IS NOT NULL THEN
        PERFORM azure_ai.emulator_report('azure_ai.' || function_name, failure, true);
    END IF;
    RETURN answer::json -> 'choices' -> 0 -> 'message' ->> 'content';
END
$$;

-- A schema of structured outputs for an object of texts.
CREATE FUNCTION azure_ai.emulator_schema(name text, properties jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
    SELECT jsonb_build_object('name', name, 'strict', true, 'schema', jsonb_build_object('type', 'object',
        'properties', properties, 'required', (SELECT jsonb_agg(k) FROM jsonb_object_keys(properties) AS k),
        'additionalProperties', false))
$$;

CREATE FUNCTION azure_ai.generate(
    prompt text, model text DEFAULT 'gpt-4.1', system_prompt text DEFAULT 'You are a helpful assistant.') RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT azure_ai.emulator_chat('generate', model, system_prompt, prompt, NULL) $$;

CREATE FUNCTION azure_ai.generate(
    prompt text, json_schema jsonb, model text DEFAULT 'gpt-4.1',
    system_prompt text DEFAULT 'You are a helpful assistant.') RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT azure_ai.emulator_chat('generate', model, system_prompt, prompt, json_schema)::jsonb $$;

CREATE FUNCTION azure_ai.is_true(statement text, model text DEFAULT 'gpt-4.1') RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT CASE a.answer WHEN 'true' THEN true WHEN 'false' THEN false END
    FROM (SELECT azure_ai.emulator_chat('is_true', model, 'Say whether the statement is true, false or unknown.',
        statement, azure_ai.emulator_schema('is_true',
            '{"answer": {"type": "string", "enum": ["true", "false", "unknown"]}}'))::jsonb ->> 'answer' AS answer) AS a
$$;

-- A label is a name, and may go on with a type and a description.
CREATE FUNCTION azure_ai.extract(document text, data text[], model text DEFAULT 'gpt-4.1') RETURNS jsonb
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT azure_ai.emulator_chat('extract', model, 'Extract what is asked for from the document.', document,
        azure_ai.emulator_schema('extract', (
            SELECT jsonb_object_agg(btrim(split_part(label, ':', 1)), jsonb_build_object('type', 'string',
                'description', btrim(substr(label, length(split_part(label, ':', 1)) + 2))))
            FROM unnest(data) AS label)))::jsonb
$$;

-- Ranking -------------------------------------------------------------------------------------------------------------

-- One row a text, the best first; `n` is the text's position from 0. The real extension asks a model of Cohere behind
-- azure_ml.serverless_ranking_endpoint, or a chat model; the emulator has one scorer, with the account of Azure OpenAI.
-- Unverified: all but names and arguments.
CREATE FUNCTION azure_ai.emulator_rank(query text, texts text[], model text)
RETURNS TABLE (n integer, rank integer, score double precision)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    answer text;
    failure text;
BEGIN
    IF coalesce(cardinality(texts), 0) = 0 THEN
        RETURN;
    END IF;
    SELECT c.answer, c.failure INTO answer, failure
    FROM azure_ai.emulator_call('azure_openai', '/providers/cohere/v2/rerank', translate(json_build_object(
        'model', model, 'query', query, 'documents', to_json(texts))::text, E'\n', ' '), 60000, 1, 1000) AS c;
    IF failure IS NOT NULL THEN
        PERFORM azure_ai.emulator_report('azure_ai.rank', failure, true);
    END IF;
    RETURN QUERY
        SELECT (r.result ->> 'index')::integer, r.place::integer, (r.result ->> 'relevance_score')::float8
        FROM json_array_elements(answer::json -> 'results') WITH ORDINALITY AS r(result, place);
END
$$;

CREATE FUNCTION azure_ai.rank(query text, document_contents text[], model text DEFAULT 'cohere-rerank-v3.5')
RETURNS TABLE (id integer, rank integer, score double precision)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$ SELECT r.n, r.rank, r.score FROM azure_ai.emulator_rank(query, document_contents, model) AS r $$;

CREATE FUNCTION azure_ai.rank(
    query text, document_contents text[], document_ids integer[], model text DEFAULT 'cohere-rerank-v3.5')
RETURNS TABLE (id integer, rank integer, score double precision)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (document_ids[:])[r.n + 1], r.rank, r.score
    FROM azure_ai.emulator_rank(query, document_contents, model) AS r
$$;

CREATE FUNCTION azure_ai.rank(
    query text, document_contents text[], document_ids text[], model text DEFAULT 'cohere-rerank-v3.5')
RETURNS TABLE (id text, rank integer, score double precision)
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT (document_ids[:])[r.n + 1], r.rank, r.score
    FROM azure_ai.emulator_rank(query, document_contents, model) AS r
$$;

-- Azure AI Language ---------------------------------------------------------------------------------------------------

CREATE TYPE azure_cognitive.sentiment_analysis_result AS (
    sentiment text, positive_score double precision, neutral_score double precision, negative_score double precision);
CREATE TYPE azure_cognitive.language_detection_result AS (
    name text, iso6391_name text, confidence_score double precision);
CREATE TYPE azure_cognitive.entity AS (
    text text, category text, subcategory text, confidence_score double precision);
CREATE TYPE azure_cognitive.pii_entity_recognition_result AS (redacted_text text, entities azure_cognitive.entity[]);
CREATE TYPE azure_cognitive.linked_entity_match AS (text text, confidence_score double precision);
CREATE TYPE azure_cognitive.linked_entity AS (
    name text, data_source_entity_id text, language text, data_source text, url text,
    matches azure_cognitive.linked_entity_match[], bing_id text);
CREATE TYPE azure_cognitive.sentence AS (text text, rank_score double precision);
CREATE TYPE azure_cognitive.detected_language AS (language text, score double precision);
CREATE TYPE azure_cognitive.transliterated_text AS (text text, script text);
CREATE TYPE azure_cognitive.translation AS (
    text text, target_language text, transliteration azure_cognitive.transliterated_text);
CREATE TYPE azure_cognitive.translated_text_result AS (
    translations azure_cognitive.translation[], detected_language azure_cognitive.detected_language, source_text text);

-- One document of the answer for each text, in order; NULL for a NULL text and for one that failed.
CREATE FUNCTION azure_cognitive.emulator_analyze(
    function_name text, kind text, texts text[], languages text[], parameters json, batch_size integer,
    timeout_ms integer, throw_on_error boolean, max_attempts integer, retry_delay_ms integer) RETURNS SETOF json
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    caller constant text := 'azure_cognitive.' || function_name;
    size constant integer := greatest(coalesce(batch_size, 1), 1);
    documents json;
    answer text;
    failure text;
BEGIN
    IF cardinality(languages) NOT IN (1, cardinality(texts)) THEN
        RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = format('%s: InvalidArgument: %s texts but %s languages',
            caller, cardinality(texts), cardinality(languages));
    END IF;
    FOR low IN 1 .. coalesce(cardinality(texts), 0) BY size LOOP
        SELECT json_agg(json_strip_nulls(json_build_object('id', n::text, 'text', t, 'language',
            (languages[:])[CASE cardinality(languages) WHEN 1 THEN 1 ELSE low + n - 1 END])))
        INTO documents
        FROM unnest((texts[:])[low:low + size - 1]) WITH ORDINALITY AS b(t, n) WHERE t IS NOT NULL;
        answer := NULL;
        failure := NULL;
        IF documents IS NOT NULL THEN
            SELECT c.answer, c.failure INTO answer, failure
            FROM azure_ai.emulator_call('azure_cognitive', '/language/:analyze-text?api-version=2023-04-01',
                translate(json_build_object('kind', kind, 'analysisInput', json_build_object('documents', documents),
                    'parameters', parameters)::text, E'\n', ' '), timeout_ms, max_attempts, retry_delay_ms) AS c;
            SELECT coalesce(failure, string_agg(concat_ws(': ', e -> 'error' -> 'innererror' ->> 'code',
                e -> 'error' -> 'innererror' ->> 'message'), E'\n')) INTO failure
            FROM json_array_elements(answer::json -> 'results' -> 'errors') AS e;
        END IF;
        IF failure IS NOT NULL THEN
            PERFORM azure_ai.emulator_report(caller, failure, throw_on_error);
        END IF;
        RETURN QUERY
            SELECT d.document
            FROM generate_series(1, least(size, cardinality(texts) - low + 1)) AS n
            LEFT JOIN json_array_elements(answer::json -> 'results' -> 'documents') AS d(document)
                ON d.document ->> 'id' = n::text
            ORDER BY n;
    END LOOP;
END
$$;

-- The overloads of one operation: one text, texts in one language, texts each in its own (none where the operation
-- finds the language). `result` makes the value from the document `d`.
CREATE FUNCTION azure_cognitive.emulator_create(
    name text, kind text, batch_default integer, type text, column_name text, result text, has_language boolean,
    extra text, parameters text, no_logs text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    one constant text := CASE WHEN has_language THEN ', language text DEFAULT NULL' ELSE '' END || extra;
    options constant text := format('disable_service_logs boolean DEFAULT %s, timeout_ms integer DEFAULT NULL, '
        'throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1, '
        'retry_delay_ms integer DEFAULT 1000', no_logs);
    template constant text := 'CREATE FUNCTION azure_cognitive.%1$I(%2$s, %3$s) RETURNS %4$s LANGUAGE sql IMMUTABLE '
        'SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $body$ SELECT CASE WHEN d IS NOT NULL THEN %5$s END '
        'FROM azure_cognitive.emulator_analyze(%1$L, %6$L, %7$s, %8$s, json_build_object(''loggingOptOut'', '
        'disable_service_logs%9$s), %10$s, timeout_ms, throw_on_error, max_attempts, retry_delay_ms) AS d $body$';
    many constant text := format('TABLE (%I %s)', column_name, type);
    one_language constant text := CASE WHEN has_language THEN 'ARRAY[$2]' ELSE 'NULL' END;
    batch constant text := format(', batch_size integer DEFAULT %s', batch_default);
BEGIN
    EXECUTE format(template, name, 'text text' || one, options, type, result, kind, 'ARRAY[$1]', one_language,
        parameters, '1');
    EXECUTE format(template, name, 'text text[]' || one || batch, options, many, result, kind, '$1', one_language,
        parameters, 'batch_size');
    IF has_language THEN
        EXECUTE format(template, name, 'text text[], language text[]' || extra || batch, options, many, result, kind,
            '$1', '$2', parameters, 'batch_size');
    END IF;
END
$$;

SELECT azure_cognitive.emulator_create('analyze_sentiment', 'SentimentAnalysis', 10,
    'azure_cognitive.sentiment_analysis_result', 'result',
    $$ROW(d ->> 'sentiment', (d -> 'confidenceScores' ->> 'positive')::float8,
        (d -> 'confidenceScores' ->> 'neutral')::float8,
        (d -> 'confidenceScores' ->> 'negative')::float8)::azure_cognitive.sentiment_analysis_result$$,
    true, '', '', 'false');
SELECT azure_cognitive.emulator_create('detect_language', 'LanguageDetection', 1000,
    'azure_cognitive.language_detection_result', 'result',
    $$ROW(d -> 'detectedLanguage' ->> 'name', d -> 'detectedLanguage' ->> 'iso6391Name',
        (d -> 'detectedLanguage' ->> 'confidenceScore')::float8)::azure_cognitive.language_detection_result$$,
    false, '', '', 'false');
SELECT azure_cognitive.emulator_create('extract_key_phrases', 'KeyPhraseExtraction', 10, 'text[]', 'key_phrases',
    $$ARRAY(SELECT json_array_elements_text(d -> 'keyPhrases'))$$, true, '', '', 'false');
SELECT azure_cognitive.emulator_create('recognize_pii_entities', 'PiiEntityRecognition', 5,
    'azure_cognitive.pii_entity_recognition_result', 'result',
    $$ROW(d ->> 'redactedText', ARRAY(SELECT ROW(e ->> 'text', e ->> 'category', e ->> 'subcategory',
        (e ->> 'confidenceScore')::float8)::azure_cognitive.entity
        FROM json_array_elements(d -> 'entities') AS e))::azure_cognitive.pii_entity_recognition_result$$,
    true, ', domain text DEFAULT ''none''', ', ''domain'', domain', 'true');
SELECT azure_cognitive.emulator_create('recognize_entities', 'EntityRecognition', 5, 'azure_cognitive.entity[]',
    'entities', $$ARRAY(SELECT ROW(e ->> 'text', e ->> 'category', e ->> 'subcategory',
        (e ->> 'confidenceScore')::float8)::azure_cognitive.entity FROM json_array_elements(d -> 'entities') AS e)$$,
    true, '', '', 'false');
-- The service has summaries among its long-running jobs alone; the emulator answers at once.
SELECT azure_cognitive.emulator_create('summarize_abstractive', 'AbstractiveSummarization', 25, 'text[]', 'summaries',
    $$ARRAY(SELECT s ->> 'text' FROM json_array_elements(d -> 'summaries') AS s)$$,
    true, ', sentence_count integer DEFAULT 3', ', ''sentenceCount'', sentence_count', 'false');
DROP FUNCTION azure_cognitive.emulator_create;
