-- Model deployments: what a job calls, at what price, and how fast.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Creates or changes a deployment; says what changed. A model cannot change under jobs that have vectors of the old one; what else was
-- made by it is made again. A chat model has no `dimensions`. A service that is no deployment has no `tokens_per_minute` either: each
-- function of azure_cognitive is one of its name, since the service limits the requests of each separately (Azure AI Language, "Service
-- limits"). The price is NULL where it is not known.
CREATE OR REPLACE FUNCTION vectorize.set_deployment(
    name text, model text, dimensions integer, tokens_per_minute integer, requests_per_minute integer, price_per_million_tokens numeric
) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    old vectorize.deployment;
    using_it text;
BEGIN
    SELECT d.* INTO old FROM vectorize.deployment AS d WHERE d.name = name FOR UPDATE;
    SELECT string_agg(j.name, ', ' ORDER BY j.name) INTO using_it FROM vectorize.job AS j
    WHERE j.deployment = name AND j.state <> 'removed' AND vectorize.cannot_go_on(j, old.model, model, dimensions, tokens_per_minute);
    IF using_it IS NOT NULL THEN
        RAISE EXCEPTION 'deployment %: cannot become % with % dimensions while it serves job %', name, model, coalesce(dimensions, 0), using_it
            USING ERRCODE = 'object_in_use', HINT = 'Vectors of two models would mix: use a deployment of another name for the new model, or CALL vectorize.discard(job, generation) '
                'for a generation that is only kept.';
    END IF;
    -- A removed job could not come back with vectors of another model.
    PERFORM vectorize.forget(j.id) FROM vectorize.job AS j
    WHERE j.deployment = name AND j.state = 'removed' AND vectorize.cannot_go_on(j, old.model, model, dimensions, tokens_per_minute);
    INSERT INTO vectorize.deployment AS d (name, model, dimensions, tokens_per_minute, requests_per_minute, price_per_million_tokens)
    VALUES (name, model, dimensions, tokens_per_minute, requests_per_minute, price_per_million_tokens)
    ON CONFLICT ON CONSTRAINT deployment_pkey DO UPDATE SET model = excluded.model, dimensions = excluded.dimensions,
        tokens_per_minute = excluded.tokens_per_minute, requests_per_minute = excluded.requests_per_minute,
        price_per_million_tokens = excluded.price_per_million_tokens;
    INSERT INTO vectorize.bucket (deployment) SELECT name WHERE NOT EXISTS (SELECT FROM vectorize.bucket AS b WHERE b.deployment = name);
    IF old.name IS NULL THEN
        RAISE NOTICE 'deployment %: created, % with %', name, model, vectorize.quota_words(tokens_per_minute, requests_per_minute);
    ELSIF (old.model, old.dimensions, old.tokens_per_minute, old.requests_per_minute, old.price_per_million_tokens)
        IS DISTINCT FROM (model, dimensions, tokens_per_minute, requests_per_minute, price_per_million_tokens) THEN
        RAISE NOTICE 'deployment %: changed, % with %', name, model, vectorize.quota_words(tokens_per_minute, requests_per_minute);
    END IF;
END
$$;

-- Whether a job cannot go on with what its deployment becomes: another model's vectors, or another kind of model.
CREATE OR REPLACE FUNCTION vectorize.cannot_go_on(j vectorize.job, old_model text, model text, dimensions integer, tokens_per_minute integer) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE (SELECT o.needs FROM vectorize.operation_named(j.operation) AS o)
        WHEN 'chat' THEN dimensions IS NOT NULL OR tokens_per_minute IS NULL
        WHEN 'language' THEN tokens_per_minute IS NOT NULL
        ELSE old_model <> model OR dimensions IS NULL OR coalesce(j.dimensions, 0) > dimensions END
$$;

CREATE OR REPLACE FUNCTION vectorize.quota_words(tokens_per_minute integer, requests_per_minute integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN tokens_per_minute IS NULL THEN format('%s requests a minute', requests_per_minute) ELSE format('%s tokens a minute', tokens_per_minute) END
$$;

-- How much of the quota workers leave to searches, from 0 to less than 1.
CREATE OR REPLACE FUNCTION vectorize.set_search_share(deployment_name text, share real) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE vectorize.deployment SET search_share = share WHERE name = deployment_name;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no deployment %', deployment_name USING ERRCODE = 'undefined_object';
    END IF;
END
$$;

-- A call succeeded. Writes only when there is something to write: every worker shares this row.
CREATE OR REPLACE FUNCTION vectorize.call_succeeded(deployment_name text) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE vectorize.deployment
    SET first_success_at = coalesce(first_success_at, clock_timestamp()), failures_in_a_row = 0, refused_since = NULL
    WHERE name = deployment_name AND (first_success_at IS NULL OR failures_in_a_row > 0 OR refused_since IS NOT NULL)
$$;

-- The service refused (401, 403, 404). Returns whether to try again: for 10 minutes, before the first success, since roles
-- and deployments take minutes to spread.
CREATE OR REPLACE FUNCTION vectorize.call_refused(deployment_name text) RETURNS boolean
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    -- What a clock noted that has been put back since counts from now on.
    UPDATE vectorize.deployment SET refused_since = least(coalesce(refused_since, clock_timestamp()), clock_timestamp())
    WHERE name = deployment_name
    RETURNING first_success_at IS NULL AND refused_since > clock_timestamp() - interval '10 minutes'
$$;

RESET ROLE;
