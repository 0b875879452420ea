CREATE SCHEMA azure_ai;
CREATE SCHEMA azure_openai;
GRANT USAGE ON SCHEMA azure_ai, azure_openai TO PUBLIC;

CREATE TABLE azure_ai.settings (key text PRIMARY KEY, value text);

CREATE FUNCTION azure_ai.check_key(key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF key NOT IN ('azure_openai.endpoint', 'azure_openai.subscription_key', 'azure_openai.auth_type',
                   'azure_cognitive.endpoint', 'azure_cognitive.subscription_key', 'azure_cognitive.auth_type') THEN
        RAISE EXCEPTION '% is not a valid configuration key', key USING ERRCODE = 'XX000';
    END IF;
END $$;

CREATE FUNCTION azure_ai.set_setting(key text, value text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM azure_ai.check_key(set_setting.key);
    INSERT INTO azure_ai.settings VALUES (set_setting.key, set_setting.value)
    ON CONFLICT ON CONSTRAINT settings_pkey DO UPDATE SET value = excluded.value;
END $$;

CREATE FUNCTION azure_ai.get_setting(key text) RETURNS text
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS
$$ SELECT value FROM azure_ai.settings AS s WHERE s.key = get_setting.key $$;

REVOKE ALL ON FUNCTION azure_ai.set_setting(text, text), azure_ai.get_setting(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION azure_ai.set_setting(text, text), azure_ai.get_setting(text) TO azure_ai_settings_manager;

-- The first `times` calls fail with `message`; nextval is not undone by the failure.
CREATE TABLE azure_openai.fault (message text, times bigint);
CREATE SEQUENCE azure_openai.calls;

CREATE FUNCTION azure_openai.create_embeddings(
    deployment_name text, input text, dimensions integer DEFAULT NULL, timeout_ms integer DEFAULT 3600000,
    throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1, retry_delay_ms integer DEFAULT 1000
) RETURNS real[] LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    number bigint := nextval('azure_openai.calls');
    fault record;
BEGIN
    SELECT * INTO fault FROM azure_openai.fault WHERE times >= number;
    IF FOUND THEN
        RAISE EXCEPTION '%', fault.message USING ERRCODE = 'XX000';
    END IF;
    RETURN array_fill(0.5::real, ARRAY[coalesce(dimensions, 1536)]);
END $$;

-- Vectors depend on the text; `batch_size` and retries mean nothing here.
CREATE FUNCTION azure_openai.create_embeddings(
    deployment_name text, input text[], batch_size integer DEFAULT 100, dimensions integer DEFAULT NULL,
    timeout_ms integer DEFAULT 3600000, throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1,
    retry_delay_ms integer DEFAULT 1000
) RETURNS TABLE (embedding real[]) LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    one text;
    size integer := coalesce(dimensions, 1536);
BEGIN
    PERFORM azure_openai.create_embeddings(deployment_name => deployment_name, input => 'ping'::text);
    FOREACH one IN ARRAY input LOOP
        embedding := (array_fill(0::real, ARRAY[abs(hashtext(one)) % size])
            || 1::real || array_fill(0::real, ARRAY[size]))[1:size];
        RETURN NEXT;
    END LOOP;
END $$;
