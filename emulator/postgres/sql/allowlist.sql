-- The service's rules for extensions, as event triggers; run in every database that a new server has.
-- Texts: azure-databases-docs "Extensions in Azure Database for PostgreSQL", Azure Q&A threads on `azure.extensions`.
-- The service enforces them in its own library, so it has none of these objects.

-- Reads the configuration itself: a client can SET a placeholder parameter for its session, on the service it cannot.
CREATE FUNCTION pg_catalog.azure_extension_is_allowed(extension text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT lower(extension) = 'plpgsql' OR EXISTS (
        SELECT FROM (
            SELECT setting FROM pg_file_settings WHERE lower(name) = 'azure.extensions' ORDER BY seqno DESC LIMIT 1
        ) AS configured, unnest(string_to_array(configured.setting, ',')) AS allowed
        WHERE lower(btrim(allowed, ' "')) = lower(extension)
    )
$$;

CREATE FUNCTION pg_catalog.azure_extension_check(extension text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT azure_extension_is_allowed(extension) THEN
        RAISE EXCEPTION USING
            ERRCODE = 'feature_not_supported',
            MESSAGE = format('extension "%s" is not allow-listed for "azure_pg_admin" users in Azure Database for PostgreSQL', extension),
            HINT = 'to see the full allow list of extensions, please run: "show azure.extensions;"';
    END IF;
END
$$;

-- Before the command: who may, and, where the name can be read from the statement, whether. An extension that this
-- PostgreSQL does not carry gets the service's answer too, since the service looks at the allowlist first.
CREATE FUNCTION pg_catalog.azure_extension_command_start() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
    statement text := regexp_replace(current_query(), '^(\s|--[^\n]*(\n|$)|/\*.*?\*/)+', '');
    name text[];
BEGIN
    IF (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        RETURN;
    END IF;
    IF NOT pg_has_role(current_user, 'azure_pg_admin', 'MEMBER') THEN
        RAISE EXCEPTION USING
            ERRCODE = 'insufficient_privilege',
            MESSAGE = format('Only members of "azure_pg_admin" are allowed to use %s', tg_tag);
    END IF;
    IF statement ~* '^alter\s+extension\s+("[^"]+"|\w+)\s+set\s+schema\M' THEN
        RAISE EXCEPTION USING
            ERRCODE = 'feature_not_supported',
            MESSAGE = 'SET SCHEMA clause for ALTER EXTENSION is not supported.';
    END IF;
    name := regexp_match(
        statement, '^(?:create|alter)\s+extension\s+(?:if\s+not\s+exists\s+)?(?:"([^"]+)"|([\w$]+))', 'i');
    IF name IS NOT NULL THEN
        PERFORM azure_extension_check(coalesce(name[1], lower(name[2])));
    END IF;
END
$$;

-- After the command, inside its transaction: whatever the statement looked like, this is what it did.
CREATE FUNCTION pg_catalog.azure_extension_command_end() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        PERFORM azure_extension_check(extension.extname)
        FROM pg_event_trigger_ddl_commands() AS command
        JOIN pg_extension AS extension ON extension.oid = command.objid
        WHERE command.classid = 'pg_extension'::regclass;
    END IF;
END
$$;

CREATE FUNCTION pg_catalog.azure_extension_drop() RETURNS event_trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        PERFORM azure_extension_check(dropped.object_name)
        FROM pg_event_trigger_dropped_objects() AS dropped
        WHERE dropped.object_type = 'extension' AND dropped.original;
    END IF;
END
$$;

CREATE EVENT TRIGGER azure_extension_start ON ddl_command_start
    WHEN TAG IN ('CREATE EXTENSION', 'ALTER EXTENSION', 'DROP EXTENSION')
    EXECUTE FUNCTION pg_catalog.azure_extension_command_start();
CREATE EVENT TRIGGER azure_extension_end ON ddl_command_end
    WHEN TAG IN ('CREATE EXTENSION', 'ALTER EXTENSION', 'COMMENT')
    EXECUTE FUNCTION pg_catalog.azure_extension_command_end();
CREATE EVENT TRIGGER azure_extension_dropped ON sql_drop
    WHEN TAG IN ('DROP EXTENSION')
    EXECUTE FUNCTION pg_catalog.azure_extension_drop();
