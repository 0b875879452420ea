\echo Use "CREATE EXTENSION azure_ai" to load this file. \quit

-- The functions that the emulator has no service for, and who may call what.

DO $do$
DECLARE
    options constant text := 'timeout_ms integer DEFAULT NULL, throw_on_error boolean DEFAULT true, '
        'max_attempts integer DEFAULT 1, retry_delay_ms integer DEFAULT 1000';
    translate_options constant text := 'source_language text DEFAULT NULL, text_type text DEFAULT ''Plain'', '
        'profanity_action text DEFAULT ''NoAction'', profanity_marker text DEFAULT ''Asterisk'', '
        'suggested_source_language text DEFAULT NULL, source_script text DEFAULT NULL, target_script %s DEFAULT NULL';
    operation record;
BEGIN
    FOR operation IN
        -- Language: a text, texts in one language, texts each in its own.
        SELECT 'azure_cognitive.' || o.name AS name,
            concat(a.texts, o.extra, CASE WHEN a.many THEN format(', batch_size integer DEFAULT %s', o.batch) END,
                ', disable_service_logs boolean DEFAULT false, ', options) AS arguments,
            CASE WHEN a.many THEN format('TABLE (%I %s)', o.field, o.type) ELSE o.type END AS result
        FROM (VALUES
            ('linked_entities', '', 5, 'azure_cognitive.linked_entity[]', 'entities'),
            ('summarize_extractive', ', sentence_count integer DEFAULT 3, sort_by text DEFAULT ''offset''', 25,
                'azure_cognitive.sentence[]', 'sentences')) AS o(name, extra, batch, type, field),
            (VALUES
            ('text text, language text DEFAULT NULL', false),
            ('text text[], language text DEFAULT NULL', true),
            ('text text[], language text[]', true)) AS a(texts, many)
        UNION ALL
        SELECT 'azure_cognitive.translate',
            concat('text ', a.texts, ', target_language ', t.target, ', ', format(translate_options, t.target),
                CASE WHEN a.texts = 'text[]' THEN ', batch_size integer DEFAULT 1000' END, ', ', options),
            CASE WHEN a.texts = 'text[]' THEN 'TABLE (result azure_cognitive.translated_text_result)'
                ELSE 'azure_cognitive.translated_text_result' END
        FROM (VALUES ('text'), ('text[]')) AS a(texts), (VALUES ('text'), ('text[]')) AS t(target)
        UNION ALL
        VALUES
            ('azure_ml.inference', 'input_data jsonb, deployment_name text DEFAULT NULL, ' || options, 'jsonb'),
            ('azure_ml.invoke', 'input_data jsonb, deployment_name text DEFAULT NULL, ' || options, 'jsonb')
    LOOP
        EXECUTE format('CREATE FUNCTION %s(%s) RETURNS %s LANGUAGE plpgsql AS %L',
            operation.name, operation.arguments, operation.result,
            format('BEGIN RAISE EXCEPTION USING ERRCODE = ''XX000'', MESSAGE = %L; END', operation.name
                || ': NotImplemented: the emulator has no service behind this function; '
                'docs/emulator.md lists what it has'));
    END LOOP;
END
$do$;

DO $do$
DECLARE
    inner_function regprocedure;
BEGIN
    FOR inner_function IN
        SELECT oid FROM pg_proc
        WHERE proname LIKE 'emulator\_%'
            AND pronamespace::regnamespace::text IN ('azure_ai', 'azure_openai', 'azure_cognitive')
    LOOP
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', inner_function);
    END LOOP;
END
$do$;
REVOKE ALL ON FUNCTION azure_ai.set_setting, azure_ai.get_setting FROM PUBLIC;
GRANT EXECUTE ON FUNCTION azure_ai.set_setting, azure_ai.get_setting TO azure_ai_settings_manager;
