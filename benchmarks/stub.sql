-- The stand-in for the network: azure_openai.create_embeddings with its real signatures, a fixed time a request, and vectors that
-- depend on the text: a constant, rotated by a hash of deployment and text, behind four numbers of that hash (40 bits of it, in
-- steps that halfvec keeps). Little work a text, since what is measured is the engine.
--
-- Settings, by ALTER DATABASE: stub.latency (seconds a request), stub.log (a folder: one file a paid request, which no rollback and
-- no crash takes back), stub.poison (a pattern: a request with such an input is refused).
CREATE SCHEMA azure_openai;
GRANT USAGE ON SCHEMA azure_openai TO PUBLIC;
CREATE SEQUENCE azure_openai.call;

DO $$
DECLARE
    base real[] := ARRAY(SELECT ((hashint8(i % 1536) & 1023) / 1024.0 - 0.5)::real FROM generate_series(1, 3072) AS i);
BEGIN
    EXECUTE format($f$
        CREATE FUNCTION azure_openai.rotated(hash bigint, dimensions integer) RETURNS real[]
        LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $x$
            SELECT ARRAY[((hash >> 11 & 1023) / 1024::float8 - 0.5)::real, ((hash >> 21 & 1023) / 1024::float8 - 0.5)::real,
                         ((hash >> 31 & 1023) / 1024::float8 - 0.5)::real, ((hash >> 41 & 1023) / 1024::float8 - 0.5)::real]
                   || (%L::real[])[1 + (hash & 1023)::integer : dimensions - 4 + (hash & 1023)::integer]
        $x$
    $f$, base);
END
$$;

-- The vector that a text must have, as the benchmarks check it.
CREATE FUNCTION azure_openai.vector_of(deployment_name text, input text, dimensions integer) RETURNS real[]
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    hash bigint := hashtextextended(deployment_name || ':' || input, 0);
BEGIN
    RETURN azure_openai.rotated(hash, dimensions);
END
$$;

-- What every request goes through, whatever its form.
CREATE FUNCTION azure_openai.request(inputs text[], requests integer) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    latency float8 := coalesce(nullif(current_setting('stub.latency', true), '')::float8, 0);
    log_folder text := nullif(current_setting('stub.log', true), '');
    poison text := nullif(current_setting('stub.poison', true), '');
    refused boolean := poison IS NOT NULL AND EXISTS (SELECT FROM unnest(inputs) AS i WHERE i LIKE poison);
BEGIN
    IF log_folder IS NOT NULL THEN
        EXECUTE format('COPY (SELECT md5(i) FROM unnest(%L::text[]) AS i) TO %L', inputs,
            log_folder || CASE WHEN refused THEN '/refused-' ELSE '/paid-' END || pg_backend_pid() || '-' || gen_random_uuid());
    END IF;
    IF latency > 0 THEN
        PERFORM pg_sleep(latency * requests);
    END IF;
    IF refused THEN
        RAISE EXCEPTION 'azure_openai.create_embeddings: 400: ''$.input'' is invalid.' USING ERRCODE = 'XX000';
    END IF;
END
$$;

CREATE FUNCTION azure_openai.create_embeddings(deployment_name text, input text, dimensions integer DEFAULT NULL,
    timeout_ms integer DEFAULT 3600000, throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1, retry_delay_ms integer DEFAULT 1000)
RETURNS real[] LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM azure_openai.request(ARRAY[input], 1);
    RETURN azure_openai.vector_of(deployment_name, input, coalesce(dimensions, 1536));
END
$$;

CREATE FUNCTION azure_openai.create_embeddings(deployment_name text, input text[], batch_size integer DEFAULT 100, dimensions integer DEFAULT NULL,
    timeout_ms integer DEFAULT 3600000, throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1, retry_delay_ms integer DEFAULT 1000)
RETURNS TABLE (embedding real[]) LANGUAGE plpgsql SECURITY DEFINER AS $$
#variable_conflict use_variable
BEGIN
    PERFORM azure_openai.request(input, ceil(cardinality(input)::float8 / batch_size)::integer);
    RETURN QUERY
        SELECT azure_openai.rotated(hash, coalesce(dimensions, 1536))
        FROM (SELECT hashtextextended(deployment_name || ':' || i, 0) AS hash FROM unnest(input) WITH ORDINALITY AS x (i, ord) ORDER BY ord) AS h;
END
$$;
