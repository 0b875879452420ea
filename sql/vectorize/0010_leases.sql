-- These take fewer arguments now, or others.
SET LOCAL ROLE vectorize_owner;

DROP FUNCTION IF EXISTS vectorize.give_back(integer, bigint, bigint[], boolean);
DROP FUNCTION IF EXISTS vectorize.release(integer, bigint[], bigint[], integer);

RESET ROLE;
