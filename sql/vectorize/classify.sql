-- What an error of the call means for the batch. azure_ai raises XX000 with "schema.function: status or code: message" (seen
-- in erincon01/RAG-Challenge and in GraphRAG's notebooks); texts for 401 and 404 are composed by that pattern, unverified.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- later:   the service is busy or unwell: everybody waits, no attempt is charged
-- input:   an input of this batch is at fault: split until it is alone
-- refused: credentials, rights or the deployment's name
-- dimensions: the deployment does not give what the job asks for, whatever the text
-- here:    this database cannot make the call at all
CREATE OR REPLACE FUNCTION vectorize.classify(state text, message text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN left(state, 2) IN ('42', '3F', '0A') OR state = '28000' THEN 'here'
        -- Language puts the reason into an inner error. These are about the request, which is the same for every text (unverified).
        WHEN message ~ '^\s*azure_cognitive\.' AND message ~ '\m(InvalidParameterValue|UnsupportedLanguageCode|OperationNotSupported)\M' THEN 'here'
        WHEN message ~ 'does not support specifying dimensions' THEN 'dimensions'
        WHEN code ~ '^(408|409|429|5\d\d)$' THEN 'later'
        WHEN code ~ '^(401|403|404)$' THEN 'refused'
        WHEN code ~ '^4\d\d$' THEN 'input'
        WHEN code ~* '(permissiondenied|unauthorized|authentication|deploymentnotfound|accessdenied|forbidden)' THEN 'refused'
        WHEN code ~* '(invalidrequest|invaliddocument|invalidargument|badrequest|invalid_request|context_?length|content_filter)' THEN 'input'
        ELSE 'later' END
    FROM (SELECT (regexp_match(message, '^\s*[a-z_]+\.[a-z_]+:\s*(\w+)'))[1] AS code) AS m
$$;

-- Whether the service said that the quota is used up, rather than that it is unwell.
CREATE OR REPLACE FUNCTION vectorize.is_throttled(message text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT message ~* '^\s*[a-z_]+\.[a-z_]+:\s*(429|TooManyRequests|RateLimitReached|QuotaExceeded)'
$$;

-- Whether an error says who has to recover, the service or the network between, so that waiting is right however long it takes: a status,
-- a code for the quota or for a service that is unwell, the words of HTTP clients (their exact texts in azure_ai are unverified).
CREATE OR REPLACE FUNCTION vectorize.is_service_unwell(message text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT vectorize.is_throttled(message)
        OR message ~* '^\s*[a-z_]+\.[a-z_]+:\s*(\d{3}|ServiceUnavailable|InternalServerError|Timeout|ServerBusy)\M'
$$;

CREATE OR REPLACE FUNCTION vectorize.is_network_down(message text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT message ~* '(\mconnect|timed ?out|\mresolve|\mdns\M|unreachable|\mreset\M|broken pipe|\meof\M|end of file|sending request|response body)'
$$;

-- The seconds that the service asked to wait, or NULL.
CREATE OR REPLACE FUNCTION vectorize.retry_after(message text) RETURNS float8
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT found[1]::float8 / CASE WHEN found[2] = 'milli' THEN 1000 ELSE 1 END
    FROM (SELECT regexp_match(message, 'retry after (\d{1,6}) ?(milli)?', 'i') AS found) AS m
$$;

RESET ROLE;
