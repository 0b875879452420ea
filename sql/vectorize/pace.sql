-- Pacing: one bucket a deployment, which all workers draw from, wherever they run. It fills by the second, up to half a second's
-- share of the quota; a call larger than that leaves a debt, which the next one waits for.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- The share of the quota that is allowed now: it is halved by a 429, and back to all of it within two minutes.
CREATE OR REPLACE FUNCTION vectorize.rate_now(b vectorize.bucket) RETURNS float8
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN least(1, b.rate + greatest(0, extract(epoch FROM clock_timestamp() - b.rate_at)) / 120);
END
$$;

-- The bucket as it is now, what it gains a second, and how many seconds it takes until a call with so many tokens may go: until they
-- are there, or a quarter of a second's share, so that a large call does not overtake on its way a small one that went before it. The
-- clock may jump: back, and no time has passed; forward, and the bucket is full, which is half a second's share.
CREATE OR REPLACE FUNCTION vectorize.refilled(
    d vectorize.deployment, b vectorize.bucket, wanted bigint,
    OUT tokens float8, OUT requests float8, OUT token_rate float8, OUT request_rate float8, OUT wait float8
)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    share float8 := vectorize.rate_now(b) * (1 - d.search_share) / 60;
    elapsed float8 := greatest(0, extract(epoch FROM clock_timestamp() - b.at));
BEGIN
    token_rate := coalesce(d.tokens_per_minute, 1000000000) * share;  -- a service without tokens: as many as a deployment could have
    request_rate := d.requests_per_minute * share;
    IF request_rate < 2 THEN
        -- A call that is late makes the next one early, and here no second is shared by several: a third of a second more for each.
        request_rate := 1 / (1 / request_rate + 0.3);
    END IF;
    tokens := least(token_rate / 2, b.tokens + elapsed * token_rate);
    requests := least(greatest(1, request_rate / 2), b.requests + elapsed * request_rate);
    wait := greatest(0, (least(wanted, token_rate / 4) - tokens) / token_rate, (1 - requests) / request_rate, vectorize.held_back(d));
END
$$;

-- Seconds until the time before which nobody calls. It is never set further ahead than 10 minutes, so what is, was set by
-- a clock that has been put back since.
CREATE OR REPLACE FUNCTION vectorize.held_back(d vectorize.deployment) RETURNS float8
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF d.not_before > clock_timestamp() + interval '601 seconds' THEN
        RETURN 0;
    END IF;
    RETURN coalesce(greatest(0, extract(epoch FROM d.not_before - clock_timestamp())), 0);
END
$$;

-- Seconds until a call could go, for a worker that has not claimed anything yet.
CREATE OR REPLACE FUNCTION vectorize.wait_seconds(d vectorize.deployment) RETURNS float8
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
BEGIN
    RETURN (SELECT r.wait FROM vectorize.bucket AS b, vectorize.refilled(d, b, 0) AS r WHERE b.deployment = d.name ORDER BY b.turn DESC LIMIT 1);
END
$$;

-- Takes one request with these texts out of the bucket, and returns the seconds to wait before it is sent. NULL, and nothing is
-- taken, when that is longer than `patience`. Tokens are counted as the service's limiter counts them: from characters
-- (azure-ai-docs, "Manage Azure OpenAI quota"), 4 a token; what a token costs is estimated elsewhere.
CREATE OR REPLACE FUNCTION vectorize.reserve(deployment_name text, characters integer[], patience float8) RETURNS float8
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    d vectorize.deployment;
    b vectorize.bucket;
    place tid;
    present record;
    wanted bigint := (SELECT sum((c + 3) / 4) FROM unnest(characters) AS c);
BEGIN
    -- The newest version, and then by its place: a long transaction elsewhere keeps every other, and a search reads them all.
    SELECT o.ctid, o.deployment, o.tokens, o.requests, o.at, o.rate, o.rate_at
    INTO place, b.deployment, b.tokens, b.requests, b.at, b.rate, b.rate_at
    FROM vectorize.bucket AS o WHERE o.deployment = deployment_name ORDER BY o.turn DESC LIMIT 1 FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        INSERT INTO vectorize.bucket (deployment) VALUES (deployment_name);
        RETURN 0;
    END IF;
    SELECT * INTO d FROM vectorize.deployment AS o WHERE o.name = deployment_name;
    present := vectorize.refilled(d, b, wanted);
    IF present.wait > patience THEN
        RETURN NULL;
    END IF;
    -- What the bucket cannot hold until the call is sent is lost to those that come after it.
    UPDATE vectorize.bucket AS o
    SET tokens = least(present.tokens, present.token_rate * (0.5 - present.wait)) - wanted,
        requests = least(present.requests, greatest(1, present.request_rate / 2) - present.wait * present.request_rate) - 1,
        at = clock_timestamp(), turn = o.turn + 1
    WHERE o.ctid = place;
    PERFORM set_config('synchronous_commit', 'off', true);  -- lost in a crash, the quota is unused for a moment less
    RETURN present.wait;
END
$$;

-- What one request should hold of the quota, so that no worker sits on more: two seconds of the tokens, and where requests are few, what
-- four of them have between them, since a request that is nearly empty is wasted there.
CREATE OR REPLACE FUNCTION vectorize.request_tokens(d vectorize.deployment) RETURNS float8
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN coalesce(greatest(d.tokens_per_minute / 30.0, 4.0 * d.tokens_per_minute / d.requests_per_minute), 1000000000);
END
$$;

-- How many rows a batch should have by that, and no more than the job says.
CREATE OR REPLACE FUNCTION vectorize.batch_rows(j vectorize.job, d vectorize.deployment, row_tokens float8) RETURNS integer
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN least(j.batch_size, greatest(1, floor(vectorize.request_tokens(d) / greatest(1, coalesce(row_tokens, 100)))))::integer;
END
$$;

-- Limits of one request: 300,000 tokens (OpenAI's embeddings reference), and half as much again as it should hold of the quota. An
-- input that may be over the model's own 8,192 goes alone, so that its refusal costs one call and not a search for it; that
-- estimates are not exact is left to the 400. A service without tokens limits the characters of a text (operation.sql), and bills the
-- texts beside one that it refuses, so that goes alone too.
CREATE OR REPLACE FUNCTION vectorize.too_large(d vectorize.deployment, tokens integer[], characters integer[]) RETURNS boolean
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF d.tokens_per_minute IS NULL THEN
        -- 125,000 characters are less than the 1 MB of a request, and as many as one that the service works on by itself may have.
        RETURN (SELECT sum(c) > 125000 OR max(c) > (SELECT o.characters FROM vectorize.operations() AS o WHERE o.calls = d.name) FROM unnest(characters) AS c);
    END IF;
    RETURN (SELECT sum(t) > 240000 OR max(t) > 8192 FROM unnest(tokens) AS t)
        OR (SELECT sum(c) / 4 > 1.5 * vectorize.request_tokens(d) FROM unnest(characters) AS c);
END
$$;

-- The service asked to wait, or is not well: nobody calls for a while. A 429 also halves the rate. Calls that were under way
-- together fail together, so neither is done twice within a second.
CREATE OR REPLACE FUNCTION vectorize.back_off(deployment_name text, throttled boolean, retry_after_seconds float8) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    d vectorize.deployment;
BEGIN
    IF throttled THEN
        UPDATE vectorize.bucket AS b SET rate = greatest(1.0 / 64, vectorize.rate_now(b) / 2), rate_at = clock_timestamp()
        WHERE b.deployment = deployment_name AND (b.rate = 1 OR b.rate_at NOT BETWEEN clock_timestamp() - interval '1 second' AND clock_timestamp());
    END IF;
    SELECT * INTO d FROM vectorize.deployment AS o WHERE o.name = deployment_name FOR NO KEY UPDATE;
    IF d.failed_at BETWEEN clock_timestamp() - interval '1 second' AND clock_timestamp() THEN
        d.failures_in_a_row := d.failures_in_a_row - 1;
    END IF;
    UPDATE vectorize.deployment AS o
    SET failures_in_a_row = d.failures_in_a_row + 1, failed_at = clock_timestamp(),
        not_before = clock_timestamp() + make_interval(secs => greatest(vectorize.held_back(d),
            -- Half to the whole of 1, 2, 4 ... 60 s, so that workers of many machines do not come back together.
            least(600, coalesce(retry_after_seconds, least(60, power(2, least(d.failures_in_a_row, 6))) * (0.5 + random() / 2)))))
    WHERE o.name = deployment_name;
END
$$;

RESET ROLE;
