-- What the engine remembers about deployments and jobs. What it remembers about rows is in tables of each job, with the
-- job's own key columns and types (generate_tables.sql).
SET LOCAL ROLE vectorize_owner;

-- Versions of items, leases and workers: one sequence, so that no number is ever given twice.
CREATE SEQUENCE vectorize.version;

CREATE TABLE vectorize.deployment (
    name                     text PRIMARY KEY,
    model                    text NOT NULL,
    dimensions               integer NOT NULL CHECK (dimensions > 0),
    tokens_per_minute        integer NOT NULL CHECK (tokens_per_minute > 0),
    requests_per_minute      integer NOT NULL CHECK (requests_per_minute > 0),
    price_per_million_tokens numeric NOT NULL CHECK (price_per_million_tokens >= 0),
    -- What a token is assumed to weigh: create_embeddings reports no usage, so every token count here is an estimate.
    bytes_per_token          real NOT NULL DEFAULT 4 CHECK (bytes_per_token > 0),
    -- Shared by all workers, wherever they run: nobody calls before this time.
    not_before               timestamptz,
    failures_in_a_row        integer NOT NULL DEFAULT 0,
    first_success_at         timestamptz,
    -- When the service first refused (401, 403, 404), since roles and deployments take minutes to spread.
    refused_since            timestamptz
);

CREATE TABLE vectorize.job (
    id             integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name           text NOT NULL UNIQUE CHECK (name <> ''),
    source         regclass NOT NULL,
    key_columns    text[] NOT NULL,
    key_types      text[] NOT NULL,
    key_operators  text[] NOT NULL,
    template       text NOT NULL,
    target         text NOT NULL CHECK (target IN ('column', 'table')),
    target_table   regclass,
    target_column  text NOT NULL,
    type           text NOT NULL CHECK (type IN ('vector', 'halfvec')),
    dimensions     integer NOT NULL CHECK (dimensions > 0),
    distance       text NOT NULL CHECK (distance IN ('cosine', 'l2', 'inner_product')),
    index_method   text NOT NULL CHECK (index_method IN ('none', 'hnsw', 'ivfflat', 'diskann')),
    index_options  jsonb NOT NULL,
    index_coverage real NOT NULL CHECK (index_coverage BETWEEN 0 AND 1),
    deployment     text NOT NULL REFERENCES vectorize.deployment,
    batch_size     integer NOT NULL CHECK (batch_size BETWEEN 1 AND 2048),
    generation     integer NOT NULL DEFAULT 1,
    revision       integer NOT NULL DEFAULT 1,  -- how often all rows were to be embedded again
    -- Goes into every digest: a row is up to date when text, model, dimensions and template are those of its receipt.
    fingerprint    bytea NOT NULL,
    -- How the source looked when the job was defined; workers compare and stop the job rather than guess.
    facts          jsonb NOT NULL,
    state          text NOT NULL CHECK (state IN ('active', 'paused', 'stopped', 'removed')),
    reason         text,
    last_error     text,
    last_error_at  timestamptz,
    defined_at     timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- One row a batch that a worker holds.
CREATE TABLE vectorize.lease (
    id         bigint PRIMARY KEY,
    job        integer NOT NULL REFERENCES vectorize.job ON DELETE CASCADE,
    worker     integer NOT NULL,
    items      integer NOT NULL,
    until      timestamptz NOT NULL,
    claimed_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX ON vectorize.lease (job);

-- Counters: what each step changed is appended here and folded into `counter` after a minute, so that no two workers
-- wait for one row, and the last minute's rates can be read.
CREATE TABLE vectorize.delta (
    job         integer NOT NULL REFERENCES vectorize.job ON DELETE CASCADE,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    queued      integer NOT NULL DEFAULT 0,
    embedded    integer NOT NULL DEFAULT 0,
    empty       integer NOT NULL DEFAULT 0,
    quarantined integer NOT NULL DEFAULT 0,
    written     integer NOT NULL DEFAULT 0,
    tokens      bigint NOT NULL DEFAULT 0,
    requests    integer NOT NULL DEFAULT 0
);
CREATE INDEX ON vectorize.delta (at);

CREATE TABLE vectorize.counter (
    job         integer PRIMARY KEY REFERENCES vectorize.job ON DELETE CASCADE,
    queued      bigint NOT NULL DEFAULT 0,
    embedded    bigint NOT NULL DEFAULT 0,
    empty       bigint NOT NULL DEFAULT 0,
    quarantined bigint NOT NULL DEFAULT 0,
    written     bigint NOT NULL DEFAULT 0,
    tokens      bigint NOT NULL DEFAULT 0,
    requests    bigint NOT NULL DEFAULT 0
);

-- What a worker knows about one row of its batch, from render to settle. Outcomes:
--   embed   the vector is in `embedding`           same    nothing changed since the receipt
--   empty   no text any more, a vector to remove    blank   no text, and no vector there
--   gone    the row is deleted                      failed  quarantined, with `error`; what vector it had is removed
--   kept    like failed, where removing the vector failed too
CREATE TYPE vectorize.result AS (
    version   bigint,
    outcome   text,
    digest    bytea,
    embedding real[],
    error     text
);

-- A claimed row as it reads now.
CREATE TYPE vectorize.rendered AS (
    version bigint,
    outcome text,
    digest  bytea,
    content text
);

-- One vector of a call's answer; texts that occur twice in a batch are one input of the call.
CREATE TYPE vectorize.embedding AS (
    input  bigint,
    vector real[]
);

-- What one worker remembers about one job between rounds.
CREATE TYPE vectorize.session AS (
    job          integer,
    worker       integer,
    deadline     timestamptz,
    idle         boolean,
    checked_at   timestamptz,
    after_change bigint,              -- hints where to go on in the queues; dropped every few seconds
    after_item   bigint,
    hand         vectorize.result[],  -- vectors of rows that somebody else has locked
    hand_leases  bigint[],
    written      bigint,
    requests     bigint
);

RESET ROLE;
