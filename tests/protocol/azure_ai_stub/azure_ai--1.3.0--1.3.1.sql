CREATE FUNCTION azure_ai.version() RETURNS text LANGUAGE sql AS $$ SELECT '1.3.1' $$;
