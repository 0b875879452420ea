-- When progress was last written to the server's log: one row.
SET LOCAL ROLE vectorize_owner;

CREATE TABLE vectorize.reported (
    at timestamptz NOT NULL DEFAULT '-infinity'
);

INSERT INTO vectorize.reported DEFAULT VALUES;

RESET ROLE;
