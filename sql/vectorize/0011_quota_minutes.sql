-- What was used of each deployment's quota, by the minute: so that the last hour can be looked at, whoever looked meanwhile.
SET LOCAL ROLE vectorize_owner;

CREATE TABLE vectorize.used_minute (
    deployment text NOT NULL,
    minute     timestamptz NOT NULL,  -- its beginning
    tokens     bigint NOT NULL,
    requests   bigint NOT NULL,
    PRIMARY KEY (deployment, minute)
);

RESET ROLE;
