-- Functions that were made anew have lost their grants, and new ones have none yet.
SET LOCAL ROLE vectorize_owner;

CALL vectorize.grant_rights();

RESET ROLE;
