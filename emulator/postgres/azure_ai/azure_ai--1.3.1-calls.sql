\echo Use "CREATE EXTENSION azure_ai" to load this file. \quit

-- The emulator's stand-in for the azure_ai extension of Azure Database for PostgreSQL: the same functions, which call
-- the emulator's AI services. What is public about the real one: azure-databases-docs, "Azure AI extension"; output of
-- psql in MicrosoftLearning/mslearn-postgresql. Not published, and so unverified: the columns of azure_ai.settings, the
-- grants to PUBLIC, which statuses are tried again, the names of most attributes of the composite types.
--
-- Version 1.3.1 is made in three steps, one file each: settings and calls (this one), services, the rest.
--
-- The extension is trusted, so its objects belong to the superuser whoever creates it. What users may call is SECURITY
-- DEFINER with a fixed search_path; what is named emulator_* is called by those alone.

CREATE SCHEMA azure_ai;
CREATE SCHEMA azure_openai;
CREATE SCHEMA azure_cognitive;
CREATE SCHEMA azure_ml;
GRANT USAGE ON SCHEMA azure_ai, azure_openai, azure_cognitive, azure_ml TO PUBLIC;

-- Settings ------------------------------------------------------------------------------------------------------------

DO $do$
BEGIN
    -- Roles are the cluster's: another database's extension may have made it.
    CREATE ROLE azure_ai_settings_manager NOLOGIN;
    IF to_regrole('azure_pg_admin') IS NOT NULL THEN
        GRANT azure_ai_settings_manager TO azure_pg_admin WITH ADMIN OPTION;
    END IF;
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END
$do$;

CREATE TABLE azure_ai.settings (key text PRIMARY KEY, value text);

CREATE FUNCTION azure_ai.emulator_check_key(key text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF key IS NULL OR key <> ALL (ARRAY[
        'azure_openai.endpoint', 'azure_openai.subscription_key', 'azure_openai.auth_type',
        'azure_cognitive.endpoint', 'azure_cognitive.subscription_key', 'azure_cognitive.auth_type',
        'azure_cognitive.region', 'azure_cognitive.translator_resource_id',
        'azure_ml.scoring_endpoint', 'azure_ml.endpoint_key', 'azure_ml.auth_type',
        'azure_ml.serverless_ranking_endpoint', 'azure_ml.serverless_ranking_endpoint_key'])
    THEN
        RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = format('%s is not a valid configuration key', key);
    END IF;
END
$$;

CREATE FUNCTION azure_ai.set_setting(key text, value text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM azure_ai.emulator_check_key(set_setting.key);
    INSERT INTO azure_ai.settings AS s VALUES (set_setting.key, set_setting.value)
    ON CONFLICT ON CONSTRAINT settings_pkey DO UPDATE SET value = excluded.value;
END
$$;

CREATE FUNCTION azure_ai.get_setting(key text) RETURNS text
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    PERFORM azure_ai.emulator_check_key(get_setting.key);
    RETURN (SELECT s.value FROM azure_ai.settings AS s WHERE s.key = get_setting.key);
END
$$;

CREATE FUNCTION azure_ai.version() RETURNS text LANGUAGE sql IMMUTABLE RETURN '1.3.1';

-- Calls over HTTP -----------------------------------------------------------------------------------------------------

-- Read from the server's own start options: a session can SET parameters of these names, and would get the keys sent
-- to an address of its choice.
CREATE FUNCTION azure_ai.emulator_option(name text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
    SELECT (regexp_match(pg_read_file('postmaster.opts'), format('"(?:--)?emulator[.]%s=([^"]*)"', name)))[1]
$$;

-- A line of a curl config file; what could end the line or the quotes cannot.
CREATE FUNCTION azure_ai.emulator_config(option text, value text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
    SELECT format(E'%s = "%s"\n', option,
        replace(replace(regexp_replace(value, '[\r\n]', '', 'g'), '\', '\\'), '"', '\"'))
$$;

-- A name as a part of a path (RFC 3986).
CREATE FUNCTION azure_ai.emulator_url_part(name text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
    SELECT string_agg(CASE WHEN c ~ '^[A-Za-z0-9._~-]$' THEN c
        ELSE regexp_replace(upper(encode(convert_to(c, 'UTF8'), 'hex')), '(..)', '%\1', 'g') END, '' ORDER BY n)
    FROM string_to_table(name, NULL) WITH ORDINALITY AS letters(c, n)
$$;

-- Sends one request. The config (address, credentials) and the body go to a shell over its standard input, so nothing
-- of them is on a command line; the body has no line break. The answer comes back in a file under the data directory,
-- which only the server's account can read. A cancelled statement interrupts curl too, since PostgreSQL signals its
-- whole process group; files of sessions that were killed are removed by the next call.
CREATE FUNCTION azure_ai.emulator_http(
    config text, body text, timeout_ms integer, keep_as text, OUT status integer, OUT answer text)
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on SET "emulator.request" = ''
AS $$
DECLARE
    file constant text := 'emulator_ai/' || pg_backend_pid();
    -- An empty request sends no line at all, which a program that does not read could not take.
    copy constant text := 'COPY (SELECT nullif(line, '''') FROM string_to_table(nullif(current_setting('
        '''emulator.request''), ''''), E''\n'') AS line) TO PROGRAM %L '
        'WITH (FORMAT csv, DELIMITER E''\x01'', QUOTE E''\x02'', ENCODING ''UTF8'')';
    send constant text := $sh$umask 077
        [ -d emulator_ai ] || mkdir -m 700 emulator_ai 2>/dev/null
        for old in emulator_ai/[0-9]*; do kill -0 "${old##*/}" 2>/dev/null || rm -f "$old"; done
        trap 'rm -f %1$s; exit 0' INT TERM HUP
        config=
        while IFS= read -r line && [ -n "$line" ]; do config="$config$line
        "; done
        exec 3<&0
        printf %%s "$config" | %2$s -q --config - >%1$s 2>&1
        code=$?
        [ $code = 0 ] || cat <&3 >/dev/null
        printf ' %%s' $code >>%1$s
        exit 0$sh$;
    done text := CASE WHEN keep_as IS NULL THEN format('rm -f %s', file)
        ELSE format('mv -f %s emulator_ai/%s', file, keep_as) END;
    raw bytea;
    size integer;
    verdict text[];
BEGIN
    config := config || azure_ai.emulator_config('max-time', (timeout_ms / 1000.0)::numeric(12, 3)::text)
        || azure_ai.emulator_config('noproxy', '*') || E'silent\nshow-error\nhttp1.1\ngloboff\n'
        || E'header = "Expect:"\nwrite-out = "\\n%{http_code}"\n';
    BEGIN
        PERFORM set_config('emulator.request', concat(config, E'\n', body), true);
        EXECUTE format(copy, format(send, file, coalesce(azure_ai.emulator_option('curl_command'), 'curl')));
        PERFORM set_config('emulator.request', '', true);
        raw := pg_read_binary_file(file);
        EXECUTE format(copy, done);
        done := NULL;
    EXCEPTION WHEN query_canceled OR OTHERS THEN
        PERFORM set_config('emulator.request', '', true);
        IF done IS NOT NULL THEN
            EXECUTE format(copy, 'rm -f ' || file);
        END IF;
        RAISE;
    END;
    -- Bytes, since lengths of a long text are slow to count.
    size := octet_length(raw);
    verdict := regexp_match(encode(substring(raw FROM greatest(size - 11, 1)), 'escape'), '(\n(\d{3}) (\d+))$');
    answer := convert_from(substring(raw FROM 1 FOR size - coalesce(length(verdict[1]), 0)), 'UTF8');
    status := CASE verdict[3] WHEN '0' THEN verdict[2]::integer WHEN '28' THEN 408 ELSE 503 END;
    IF verdict[3] = '28' THEN
        answer := format('no answer within %s ms', timeout_ms);
    ELSIF verdict[3] IS DISTINCT FROM '0' THEN
        answer := 'no connection to the service: '
            || coalesce((regexp_match(answer, 'curl: \(\d+\) ([^\n]*)'))[1], answer);
    END IF;
END
$$;

-- A token of the server's identity, kept in a file until five minutes before its end.
CREATE FUNCTION azure_ai.emulator_token(resource text, OUT token text, OUT failure text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
DECLARE
    secret constant text := btrim(pg_read_file('emulator_identity', 0, 10000, true), E' \r\n');
    file constant text := 'token.' || md5(concat(secret, resource));
    kept text := pg_read_file('emulator_ai/' || file, 0, 100000, true);
    status integer;
BEGIN
    IF secret IS NULL OR secret = '' THEN
        failure := 'ManagedIdentityNotFound: the server has no system-assigned identity; turn it on, or set the '
            'service''s subscription_key and auth_type = subscription-key';
        RETURN;
    END IF;
    IF (regexp_match(kept, '"expires_on": ?"?(\d+)'))[1]::bigint > extract(epoch FROM clock_timestamp()) + 300 THEN
        token := (regexp_match(kept, '"access_token": ?"([^"]+)"'))[1];
        RETURN;
    END IF;
    SELECT h.status, h.answer INTO status, kept FROM azure_ai.emulator_http(
        azure_ai.emulator_config('url', format('http://%s/msi/token?api-version=2019-08-01&resource=%s',
            azure_ai.emulator_option('http_address'), resource))
        || azure_ai.emulator_config('header', 'X-IDENTITY-HEADER: ' || secret), NULL, 30000, file) AS h;
    token := (regexp_match(kept, '"access_token": ?"([^"]+)"'))[1];
    IF status <> 200 OR token IS NULL THEN
        failure := format('%s: the identity endpoint gave no token: %s', status, left(kept, 300));
    END IF;
END
$$;

-- A service's error in the form of the extension: the status and the message, and for Language the codes. plpgsql,
-- because in one SQL expression the planner may make the cast before the test.
CREATE FUNCTION azure_ai.emulator_failure(service text, status integer, answer text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
DECLARE
    error json;
    cause json;
BEGIN
    IF answer IS NOT JSON OBJECT THEN
        RETURN format('%s: %s', status, left(answer, 500));
    END IF;
    error := coalesce(answer::json -> 'error', answer::json);
    cause := error -> 'innererror';
    IF service = 'azure_cognitive' AND cause ->> 'code' IS NOT NULL THEN
        RETURN format(E'%s: %s\n\n%s: %s', error ->> 'code', error ->> 'message', cause ->> 'code',
            cause ->> 'message');
    END IF;
    RETURN format('%s: %s', status, coalesce(error ->> 'message', left(answer, 500)));
END
$$;

-- Calls a service with its settings, again where that can help. An attempt may take timeout_ms; delays are fixed.
CREATE FUNCTION azure_ai.emulator_call(
    service text, path text, body text, timeout_ms integer, max_attempts integer, retry_delay_ms integer,
    OUT answer text, OUT failure text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET standard_conforming_strings = on
AS $$
DECLARE
    endpoint constant text := nullif(btrim(azure_ai.get_setting(service || '.endpoint'), ' /'), '');
    key constant text := nullif(azure_ai.get_setting(service || '.subscription_key'), '');
    kind constant text := coalesce(nullif(azure_ai.get_setting(service || '.auth_type'), ''),
        CASE WHEN key IS NULL THEN 'managed-identity' ELSE 'subscription-key' END);
    how constant text := 'set it in this database with azure_ai.set_setting';
    config text;
    credential text;
    status integer;
BEGIN
    IF endpoint IS NULL THEN
        failure := format('InvalidSetting: %s.endpoint is not set; %s', service, how);
    ELSIF endpoint !~* '^https://[a-z0-9.-]+(:\d+)?$' THEN
        failure := format('InvalidSetting: %s.endpoint must be an https:// address without a path, not %L', service,
            endpoint);
    ELSIF kind = 'managed-identity' THEN
        SELECT 'Authorization: Bearer ' || t.token, t.failure INTO credential, failure
        FROM azure_ai.emulator_token('https://cognitiveservices.azure.com') AS t;
    ELSIF kind <> 'subscription-key' THEN
        failure := format('InvalidSetting: %s.auth_type must be subscription-key or managed-identity, not %L', service,
            kind);
    ELSIF key IS NULL THEN
        failure := format('InvalidSetting: %s.subscription_key is not set; %s', service, how);
    ELSE
        credential := CASE service WHEN 'azure_openai' THEN 'api-key: ' ELSE 'Ocp-Apim-Subscription-Key: ' END || key;
    END IF;
    IF failure IS NOT NULL THEN
        RETURN;
    END IF;
    config := azure_ai.emulator_config('url', endpoint || path)
        || azure_ai.emulator_config('connect-to', '::' || azure_ai.emulator_option('https_address'))
        || azure_ai.emulator_config('cacert', azure_ai.emulator_option('ca_file'))
        || azure_ai.emulator_config('header', credential)
        || azure_ai.emulator_config('header', 'Content-Type: application/json')
        || azure_ai.emulator_config('data-binary', '@/dev/fd/3');
    FOR attempt IN 1 .. greatest(coalesce(max_attempts, 1), 1) LOOP
        IF attempt > 1 THEN
            PERFORM pg_sleep(greatest(coalesce(retry_delay_ms, 1000), 0) / 1000.0);
        END IF;
        SELECT h.status, h.answer INTO status, answer
        FROM azure_ai.emulator_http(config, body, greatest(coalesce(timeout_ms, 3600000), 1), NULL) AS h;
        EXIT WHEN status <> ALL (ARRAY[408, 429, 500, 502, 503, 504]);
    END LOOP;
    IF status <> 200 THEN
        failure := azure_ai.emulator_failure(service, status, answer);
        answer := NULL;
    END IF;
END
$$;

-- Reports a failed call as throw_on_error says.
CREATE FUNCTION azure_ai.emulator_report(caller text, failure text, throw_on_error boolean) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF coalesce(throw_on_error, true) THEN
        RAISE EXCEPTION USING ERRCODE = 'XX000', MESSAGE = format('%s: %s', caller, failure);
    END IF;
    RAISE WARNING USING MESSAGE = format('%s: %s', caller, failure);
END
$$;
