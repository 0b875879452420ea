-- The stand-in for the network: azure_openai.create_embeddings with its real signatures, vectors that depend on the text, faults
-- on demand, and a log of what was sent that no rollback takes back.
CREATE SCHEMA azure_openai;
GRANT USAGE ON SCHEMA azure_openai TO PUBLIC;
CREATE SEQUENCE azure_openai.call;

-- A fault holds for the calls up to `last_call` that have an input LIKE `pattern`. Kinds: error (with `message`), lost (the same,
-- but paid for: the answer never arrived whole), short and long (a vector too few, or too many), wide (a dimension too many),
-- nan, kill (it ends its own session, as a text might that takes all the memory). `latency` counts for every call.
CREATE TABLE azure_openai.fault (pattern text DEFAULT '%', kind text NOT NULL, message text, last_call bigint);
CREATE TABLE azure_openai.setting (log_folder text, latency float8 DEFAULT 0);

CREATE FUNCTION azure_openai.vector_of(input text, dimensions integer) RETURNS real[]
LANGUAGE sql IMMUTABLE AS $$
    SELECT array_agg((('x' || substr(md5(i || input), 1, 4))::bit(16)::int / 65536.0 - 0.5)::real ORDER BY i) FROM generate_series(1, dimensions) AS i
$$;

-- Waits while somebody holds the advisory lock (gate, process id) of this session: so a test stops a worker at a step. 4001: its
-- texts are read and nothing is sent; 4002: the answer is there, and paid for.
CREATE FUNCTION azure_openai.pass_gate(gate integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    PERFORM pg_advisory_lock_shared(gate, pg_backend_pid());
    PERFORM pg_advisory_unlock_shared(gate, pg_backend_pid());
END
$$;

-- One file a call: a rolled-back table would forget what was paid for.
CREATE FUNCTION azure_openai.log(inputs text[], number bigint, answer text) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('COPY (SELECT md5(i) FROM unnest(%L::text[]) AS i) TO %L', inputs,
        (SELECT log_folder FROM azure_openai.setting) || '/' || answer || '-' || number);
END
$$;

-- What every call goes through; returns the fault that its answer has, and raises where there is none.
CREATE FUNCTION azure_openai.serve(inputs text[]) RETURNS azure_openai.fault
LANGUAGE plpgsql AS $$
DECLARE
    number bigint;
    delay float8 := (SELECT latency FROM azure_openai.setting);
    f azure_openai.fault;
BEGIN
    PERFORM azure_openai.pass_gate(4001);
    -- A search may run on a replica, or in a transaction that cannot write.
    number := CASE WHEN current_setting('transaction_read_only')::boolean THEN 0 ELSE nextval('azure_openai.call') END;
    IF EXISTS (SELECT FROM unnest(inputs) AS i WHERE i = '') THEN
        RAISE EXCEPTION 'azure_openai.create_embeddings: 400: ''$.input'' is invalid.' USING ERRCODE = 'XX000';
    END IF;
    SELECT * INTO f FROM azure_openai.fault AS o
    WHERE (o.last_call IS NULL OR number <= o.last_call) AND EXISTS (SELECT FROM unnest(inputs) AS i WHERE i LIKE o.pattern) LIMIT 1;
    IF f.kind = 'kill' THEN
        PERFORM pg_terminate_backend(pg_backend_pid());
        PERFORM pg_sleep(10);
    END IF;
    PERFORM azure_openai.log(inputs, number, CASE f.kind WHEN 'error' THEN 'refused' ELSE 'paid' END);
    IF delay > 0 THEN
        PERFORM pg_sleep(delay);
    END IF;
    PERFORM azure_openai.pass_gate(4002);
    IF f.kind IN ('error', 'lost') THEN
        RAISE EXCEPTION '%', f.message USING ERRCODE = 'XX000';
    END IF;
    RETURN f;
END
$$;

CREATE FUNCTION azure_openai.answer(inputs text[], dimensions integer) RETURNS TABLE (embedding real[])
LANGUAGE plpgsql AS $$
#variable_conflict use_variable
DECLARE
    f azure_openai.fault := azure_openai.serve(inputs);
BEGIN
    RETURN QUERY
        SELECT CASE WHEN f.kind = 'nan' AND i LIKE f.pattern THEN array_fill('NaN'::real, ARRAY[dimensions])
                    ELSE azure_openai.vector_of(i, dimensions + CASE f.kind WHEN 'wide' THEN 1 ELSE 0 END) END
        FROM unnest(CASE f.kind WHEN 'short' THEN inputs[2:] WHEN 'long' THEN inputs[1] || inputs ELSE inputs END)
            WITH ORDINALITY AS x (i, ord) ORDER BY ord;
END
$$;

CREATE FUNCTION azure_openai.create_embeddings(deployment_name text, input text, dimensions integer DEFAULT NULL,
    timeout_ms integer DEFAULT 3600000, throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1, retry_delay_ms integer DEFAULT 1000)
RETURNS real[] LANGUAGE sql SECURITY DEFINER AS $$
    SELECT embedding FROM azure_openai.answer(ARRAY[input], coalesce(dimensions, 1536))
$$;

CREATE FUNCTION azure_openai.create_embeddings(deployment_name text, input text[], batch_size integer DEFAULT 100, dimensions integer DEFAULT NULL,
    timeout_ms integer DEFAULT 3600000, throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1, retry_delay_ms integer DEFAULT 1000)
RETURNS TABLE (embedding real[]) LANGUAGE sql SECURITY DEFINER AS $$
    SELECT embedding FROM azure_openai.answer(input, coalesce(dimensions, 1536))
$$;
