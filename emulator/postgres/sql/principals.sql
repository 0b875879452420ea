-- Microsoft Entra principals that are no administrators; run once, in database postgres, the only one that has these functions.
-- Names, arguments and answers: azure-databases-docs, "Manage Microsoft Entra roles" (2025-10). The service keeps the principal in a
-- security label of the role; here it is the role's comment, in the same form.
CREATE FUNCTION pg_catalog.pgaadauth_create_principal_with_oid(rolename text, objectid text, objecttype text, isadmin boolean, ismfa boolean) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
    -- The texts of the refusals are unverified.
    IF NOT pg_has_role(session_user, 'azure_pg_admin', 'MEMBER') THEN
        RAISE EXCEPTION 'permission denied to create Microsoft Entra principals' USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF objecttype NOT IN ('user', 'group', 'service') OR objectid !~ '^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$' THEN
        RAISE EXCEPTION 'wrong object type or object id' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    EXECUTE format('CREATE ROLE %I LOGIN', rolename);
    EXECUTE format('COMMENT ON ROLE %I IS %L', rolename,
        format('aadauth,oid=%s,type=%s', lower(objectid), objecttype) || CASE WHEN isadmin THEN ',admin' ELSE '' END);
    -- So that administrators can drop it; the role itself gets nothing from this.
    EXECUTE format('GRANT %I TO azure_pg_admin WITH ADMIN TRUE, INHERIT FALSE, SET FALSE', rolename);
    IF isadmin THEN
        EXECUTE format('ALTER ROLE %I CREATEDB CREATEROLE', rolename);
        EXECUTE format('GRANT azure_pg_admin TO %I WITH ADMIN OPTION', rolename);
    END IF;
    RETURN format('Created role for %s', quote_ident(rolename));
END
$$;

CREATE FUNCTION pg_catalog.pgaadauth_list_principals(isadminvalue boolean)
RETURNS TABLE (rolename name, principaltype text, objectid text, tenantid text, ismfa integer, isadmin integer)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT r.rolname, m.found[2], m.found[1], '', 0, (m.found[3] IS NOT NULL)::integer
    FROM pg_roles AS r
    CROSS JOIN LATERAL regexp_match(shobj_description(r.oid, 'pg_authid'), '^aadauth,oid=([0-9a-f-]{36}),type=(\w+)(,admin)?$') AS m (found)
    WHERE m.found IS NOT NULL AND (m.found[3] IS NOT NULL OR NOT isadminvalue)
$$;
