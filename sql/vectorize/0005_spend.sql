-- What was spent, by job and day, and what the estimates of tokens were calibrated with.
SET LOCAL ROLE vectorize_owner;

-- By the job's name and not its id: the bill of last month adds up after the job is removed, or defined again. It begins with this
-- version; what was spent before is known in sum only, in vectorize.status.
CREATE TABLE vectorize.spent (
    job      text NOT NULL,
    day      date NOT NULL,  -- in UTC
    requests bigint NOT NULL,
    tokens   bigint NOT NULL,
    cost_usd numeric NOT NULL,
    PRIMARY KEY (job, day)
);

ALTER TABLE vectorize.deployment
    -- Billed tokens that `bytes_per_token` was learned from: the more, the less one more sample moves it.
    ADD COLUMN calibration_tokens bigint NOT NULL DEFAULT 0 CHECK (calibration_tokens >= 0);

RESET ROLE;
