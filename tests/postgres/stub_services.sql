-- The stand-ins for Azure AI Language and the chat models: the functions that the engine calls, with their real signatures in the form
-- for many texts, answers that depend on the text, and the limits of a request. What every call goes through is in stub.sql; another
-- kind of fault: silent (no answer for the texts LIKE `pattern`, and an answer for the others).
CREATE SCHEMA azure_cognitive;
CREATE SCHEMA azure_ai;
GRANT USAGE ON SCHEMA azure_cognitive, azure_ai TO PUBLIC;

CREATE TYPE azure_cognitive.sentiment_analysis_result AS (
    sentiment text, positive_score double precision, neutral_score double precision, negative_score double precision);
-- Attributes whose names nobody has published have names of their own here, which the engine must not rely on.
CREATE TYPE azure_cognitive.language_detection_result AS (called text, code text, sure double precision);
CREATE TYPE azure_cognitive.entity AS (text text, category text, subcategory text, sure double precision);
CREATE TYPE azure_cognitive.pii_entity_recognition_result AS (redacted_text text, entities azure_cognitive.entity[]);

-- The texts of a request in their order, NULL for those that get no answer; refuses what is over the service's limits.
CREATE FUNCTION azure_cognitive.documents(caller text, inputs text[], most integer, batch_size integer) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
    f azure_openai.fault;
BEGIN
    IF cardinality(inputs) > least(most, batch_size) THEN
        RAISE EXCEPTION 'azure_cognitive.%: InvalidRequest: Max % records are permitted.', caller, most USING ERRCODE = 'XX000';
    END IF;
    f := azure_openai.serve(inputs);
    IF EXISTS (SELECT FROM unnest(inputs) AS i WHERE length(i) > 5120) THEN
        RAISE EXCEPTION 'azure_cognitive.%: InvalidDocument: A document within the request was too large to be processed.', caller USING ERRCODE = 'XX000';
    END IF;
    RETURN QUERY SELECT CASE WHEN f.kind = 'silent' AND i LIKE f.pattern THEN NULL ELSE i END
        FROM unnest(CASE f.kind WHEN 'short' THEN inputs[2:] ELSE inputs END) WITH ORDINALITY AS x (i, ord) ORDER BY ord;
END
$$;

CREATE FUNCTION azure_cognitive.label_of(content text, language text DEFAULT NULL) RETURNS text
LANGUAGE sql IMMUTABLE AS $$ SELECT (ARRAY['positive', 'neutral', 'negative'])[1 + ('x' || substr(md5(concat(language, content)), 1, 4))::bit(16)::int % 3] $$;

CREATE FUNCTION azure_cognitive.analyze_sentiment(text text[], language text DEFAULT NULL, batch_size integer DEFAULT 10, disable_service_logs boolean DEFAULT false,
    timeout_ms integer DEFAULT NULL, throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1, retry_delay_ms integer DEFAULT 1000)
RETURNS TABLE (result azure_cognitive.sentiment_analysis_result) LANGUAGE sql SECURITY DEFINER AS $$
    SELECT CASE WHEN d IS NOT NULL THEN ROW(azure_cognitive.label_of(d, language), length(d), 0.5, 0)::azure_cognitive.sentiment_analysis_result END
    FROM azure_cognitive.documents('analyze_sentiment', text, 10, batch_size) AS d
$$;

CREATE FUNCTION azure_cognitive.detect_language(text text[], batch_size integer DEFAULT 1000, disable_service_logs boolean DEFAULT false,
    timeout_ms integer DEFAULT NULL, throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1, retry_delay_ms integer DEFAULT 1000)
RETURNS TABLE (result azure_cognitive.language_detection_result) LANGUAGE sql SECURITY DEFINER AS $$
    SELECT ROW('Language ' || left(md5(d), 2), left(md5(d), 2), 1)::azure_cognitive.language_detection_result
    FROM azure_cognitive.documents('detect_language', text, 1000, batch_size) AS d
$$;

CREATE FUNCTION azure_cognitive.extract_key_phrases(text text[], language text DEFAULT NULL, batch_size integer DEFAULT 10, disable_service_logs boolean DEFAULT false,
    timeout_ms integer DEFAULT NULL, throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1, retry_delay_ms integer DEFAULT 1000)
RETURNS TABLE (key_phrases text[]) LANGUAGE sql SECURITY DEFINER AS $$
    SELECT CASE WHEN d LIKE 'nothing%' THEN '{}' ELSE string_to_array(d, ' ') END FROM azure_cognitive.documents('extract_key_phrases', text, 10, batch_size) AS d
$$;

CREATE FUNCTION azure_cognitive.recognize_entities(text text[], language text DEFAULT NULL, batch_size integer DEFAULT 5, disable_service_logs boolean DEFAULT false,
    timeout_ms integer DEFAULT NULL, throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1, retry_delay_ms integer DEFAULT 1000)
RETURNS TABLE (entities azure_cognitive.entity[]) LANGUAGE sql SECURITY DEFINER AS $$
    SELECT ARRAY[ROW(upper(d), 'Thing', NULL, 0.5)::azure_cognitive.entity] FROM azure_cognitive.documents('recognize_entities', text, 5, batch_size) AS d
$$;

CREATE FUNCTION azure_cognitive.recognize_pii_entities(text text[], language text DEFAULT NULL, domain text DEFAULT 'none', batch_size integer DEFAULT 5,
    disable_service_logs boolean DEFAULT true, timeout_ms integer DEFAULT NULL, throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1,
    retry_delay_ms integer DEFAULT 1000)
RETURNS TABLE (result azure_cognitive.pii_entity_recognition_result) LANGUAGE sql SECURITY DEFINER AS $$
    SELECT ROW(regexp_replace(d, '\d', '*', 'g'), ARRAY[ROW(d, domain, NULL, 0.5)::azure_cognitive.entity])::azure_cognitive.pii_entity_recognition_result
    FROM azure_cognitive.documents('recognize_pii_entities', text, 5, batch_size) AS d
$$;

CREATE FUNCTION azure_cognitive.summarize_abstractive(text text[], language text DEFAULT NULL, sentence_count integer DEFAULT 3, batch_size integer DEFAULT 25,
    disable_service_logs boolean DEFAULT false, timeout_ms integer DEFAULT NULL, throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1,
    retry_delay_ms integer DEFAULT 1000)
RETURNS TABLE (summaries text[]) LANGUAGE sql SECURITY DEFINER AS $$
    SELECT CASE WHEN d IS NULL THEN '{}' ELSE array_fill('In short: ' || d, ARRAY[sentence_count]) END
    FROM azure_cognitive.documents('summarize_abstractive', text, 25, batch_size) AS d
$$;

CREATE FUNCTION azure_ai.generate(prompt text, model text DEFAULT 'gpt-4.1', system_prompt text DEFAULT 'You are a helpful assistant.')
RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM azure_openai.serve(ARRAY[prompt]);
    RETURN format('%s, told %s, says %s', model, system_prompt, md5(prompt));
END
$$;

CREATE FUNCTION azure_ai.generate(prompt text, json_schema jsonb, model text DEFAULT 'gpt-4.1', system_prompt text DEFAULT 'You are a helpful assistant.')
RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM azure_openai.serve(ARRAY[prompt]);
    RETURN jsonb_build_object(json_schema ->> 'name', md5(prompt));
END
$$;

CREATE FUNCTION azure_ai.extract(document text, data text[], model text DEFAULT 'gpt-4.1') RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM azure_openai.serve(ARRAY[document]);
    RETURN (SELECT jsonb_object_agg(split_part(d, ':', 1), md5(document || d)) FROM unnest(data) AS d);
END
$$;

-- Undecided about what begins with `perhaps`.
CREATE FUNCTION azure_ai.is_true(statement text, model text DEFAULT 'gpt-4.1') RETURNS boolean LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM azure_openai.serve(ARRAY[statement]);
    RETURN CASE WHEN statement NOT LIKE 'perhaps%' THEN left(md5(statement), 1) < '8' END;
END
$$;

-- The ranking model of these tests: the last text is the best one.
CREATE FUNCTION azure_ai.rank(query text, document_contents text[], document_ids integer[], model text DEFAULT 'cohere-rerank-v3.5')
RETURNS TABLE (id integer, rank integer, score double precision) LANGUAGE plpgsql AS $$
BEGIN
    IF model <> 'cohere-rerank-v3.5' THEN
        RAISE EXCEPTION 'azure_ai.rank: 404: no deployment %', model USING ERRCODE = 'XX000';
    END IF;
    RETURN QUERY SELECT i.id, (cardinality(document_ids) + 1 - i.ord)::integer, i.ord::float8 / cardinality(document_ids)
        FROM unnest(document_ids) WITH ORDINALITY AS i (id, ord);
END
$$;
