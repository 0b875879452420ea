-- The trigger functions of jobs that are there are as this version of the engine writes them. What belongs to the owner of a source
-- is made anew by the next definition.
SET LOCAL ROLE vectorize_owner;

DO $$
DECLARE
    j vectorize.job;
BEGIN
    FOR j IN SELECT o.* FROM vectorize.job AS o JOIN pg_catalog.pg_class AS c ON c.oid = o.source WHERE o.state <> 'removed' LOOP
        CALL vectorize.generate_sync(j);
    END LOOP;
END
$$;

RESET ROLE;
