-- When progress was last written to the server's log: one row.
SET LOCAL ROLE vectorize_owner;

CREATE TABLE vectorize.reported (
    at timestamptz NOT NULL DEFAULT '-infinity'
);

ALTER TABLE vectorize.reported REPLICA IDENTITY FULL;  -- or a publication of all tables would let no worker change it
INSERT INTO vectorize.reported DEFAULT VALUES;

RESET ROLE;
