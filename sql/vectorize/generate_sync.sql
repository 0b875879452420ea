-- The trigger functions of one job. They run as the engine's owner, since who writes the source has no right here, and so
-- they call nothing that a user can define. They only append, to the job's change table or to the doubts: no shared row, no unique
-- key, no NOTIFY (its commit takes one lock for the whole cluster).
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- An insert or a delete notes its key; an update its keys, when the key or the rendered text differs byte by byte.
-- What cannot be read (a column renamed, dropped, or of another type, whose cast may be a user's) must not fail the user's
-- statement: it is noted as a doubt, which asks for a sweep of all rows, and workers make the function anew (health.sql) or stop the
-- job with the reason.
-- Every row of every statement passes here. So updates come first, and one that changes no text is one expression; nothing is
-- written inside a block, where it would cost a transaction number a row; and the search path, which is set for each row, is short:
-- pg_catalog comes first without being named.
CREATE OR REPLACE FUNCTION vectorize.sync_function(j vectorize.job) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    n integer := cardinality(j.key_columns);
    body text := $sync$
DECLARE
    {variables}
    rekeyed boolean;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        BEGIN
            {check texts}
            IF ({same columns} OR {text old} COLLATE "C" = {text new} COLLATE "C") AND {same key} THEN
                RETURN NULL;
            END IF;
            IF {unfit new} THEN RAISE datatype_mismatch; END IF;
            {read old}
            {read new}
            rekeyed := ({old is noted}) IS NOT TRUE;
        EXCEPTION WHEN OTHERS THEN
            PERFORM vectorize.note_doubt({job});
            RETURN NULL;
        END;
        {rewrite check}
        IF rekeyed THEN
            INSERT INTO vectorize_jobs.change_{job} ({keys}) VALUES ({old keys});
        END IF;
    ELSE
        BEGIN
            IF TG_OP = 'INSERT' THEN
                IF {unfit new} THEN RAISE datatype_mismatch; END IF;
                {read new}
            ELSE
                IF {unfit old} THEN RAISE datatype_mismatch; END IF;
                {read gone}
            END IF;
        EXCEPTION WHEN OTHERS THEN
            PERFORM vectorize.note_doubt({job});
            RETURN NULL;
        END;
    END IF;
    INSERT INTO vectorize_jobs.change_{job} ({keys}) VALUES ({noted keys});
    RETURN NULL;
END $sync$;
    part record;
BEGIN
    FOR part IN
        SELECT * FROM (VALUES
            ('{variables}', vectorize.key_list(n, format('old_k%%s vectorize_jobs.change_%s.k%%s%%TYPE; noted_k%%s vectorize_jobs.change_%s.k%%s%%TYPE;', j.id, j.id), ' ')),
            ('{check texts}', coalesce((SELECT format('IF %s THEN RAISE datatype_mismatch; END IF;', string_agg(format('pg_typeof(NEW.%I) <> ''boolean''::regtype', a.attname), ' OR '))
                FROM pg_attribute AS a WHERE a.attrelid = j.source AND a.attnum > 0 AND NOT a.attisdropped AND a.atttypid = 'boolean'::regtype
                    AND a.attname = ANY (vectorize.template_columns(j.template)) HAVING count(*) > 0), '')),
            ('{unfit old}', vectorize.unfit_types(j.source, j.key_columns, j.template, 'OLD')),
            ('{unfit new}', vectorize.unfit_types(j.source, j.key_columns, j.template, 'NEW')),
            ('{read old}', (SELECT string_agg(format('old_k%s := OLD.%I;', ord, c), ' ' ORDER BY ord) FROM unnest(j.key_columns) WITH ORDINALITY AS x (c, ord))),
            ('{read new}', (SELECT string_agg(format('noted_k%s := NEW.%I;', ord, c), ' ' ORDER BY ord) FROM unnest(j.key_columns) WITH ORDINALITY AS x (c, ord))),
            ('{read gone}', (SELECT string_agg(format('noted_k%s := OLD.%I;', ord, c), ' ' ORDER BY ord) FROM unnest(j.key_columns) WITH ORDINALITY AS x (c, ord))),
            ('{old is noted}', vectorize.key_match(j, 'old_k{n}', 'noted_k{n}')),
            ('{rewrite check}', vectorize.rewrite_check(j)),
            ('{keys}', vectorize.key_list(n, 'k%s')),
            ('{old keys}', vectorize.key_list(n, 'old_k%s')),
            ('{noted keys}', vectorize.key_list(n, 'noted_k%s')),
            ('{job}', j.id::text),
            -- Last: a template may hold the words above, and a column's name too.
            ('{same key}', vectorize.same_key(j)),
            ('{same columns}', vectorize.same_columns(j.source, j.template)),
            ('{text old}', vectorize.row_text(j, 'OLD')),
            ('{text new}', vectorize.row_text(j, 'NEW'))) AS p (mark, value)
    LOOP
        body := replace(body, part.mark, part.value);
    END LOOP;
    RETURN format('CREATE OR REPLACE FUNCTION vectorize_jobs.sync_%s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_temp %s AS %L',
        j.id, vectorize.render_settings_of(j.source, j.template), body);
END
$$;

-- Asks for a sweep of all rows, once a transaction: every row of a statement may be one that cannot be read.
CREATE OR REPLACE FUNCTION vectorize.note_doubt(job_id integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    noted text := 'vectorize.doubted_' || job_id;
BEGIN
    IF current_setting(noted, true) = pg_current_xact_id()::text THEN
        RETURN;
    END IF;
    INSERT INTO vectorize.doubt (job) VALUES (job_id);
    PERFORM set_config(noted, pg_current_xact_id()::text, true);
END
$$;

-- Whether a row's columns have other types by now than those that the job was defined with. Assigned or cast, such a value could
-- call a function of a user's as the engine's owner. The types are those of the change table, whatever their names are now.
CREATE OR REPLACE FUNCTION vectorize.unfit_types(source oid, key text[], template text, alias text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(string_agg(CASE
        WHEN k.ord IS NULL THEN format('pg_typeof(%s.%I) <> ''boolean''::regtype', alias, a.attname)
        WHEN a.atttypid = vectorize.base_type(a.atttypid) THEN format('pg_typeof(%s.%I) <> pg_typeof(noted_k%s)', alias, a.attname, k.ord)
        ELSE format('vectorize.base_type(pg_typeof(%s.%I)) <> pg_typeof(noted_k%s)', alias, a.attname, k.ord) END, ' OR '), 'true')
    FROM pg_attribute AS a LEFT JOIN unnest(key) WITH ORDINALITY AS k (name, ord) ON k.name = a.attname
    WHERE a.attrelid = source AND a.attnum > 0 AND NOT a.attisdropped
      AND (k.ord IS NOT NULL OR (a.atttypid = 'boolean'::regtype AND a.attname = ANY (vectorize.template_columns(template))))
$$;

-- The condition that an update keeps the key. The catalog's own operator is the one that is found; that of an extension's type has to be
-- named, and by its name another one could be found for a type that the column has by now. So those values are compared as they are
-- stored: what is equal in another spelling is told apart later on, when the types are known.
CREATE OR REPLACE FUNCTION vectorize.same_key(j vectorize.job) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format(CASE WHEN 'OPERATOR(pg_catalog.=)' = ALL (j.key_operators) THEN '(%s) IS NOT DISTINCT FROM (%s)'
                       ELSE 'record_image_eq(ROW(%s), ROW(%s))' END,
                  string_agg(format('OLD.%I', c), ', ' ORDER BY ord), string_agg(format('NEW.%I', c), ', ' ORDER BY ord))
    FROM unnest(j.key_columns) WITH ORDINALITY AS k (c, ord)
$$;

-- The condition that spares an update the rendering of both texts: that all columns are texts, and the same ones.
CREATE OR REPLACE FUNCTION vectorize.same_columns(source oid, template text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN bool_and(a.atttypid = ANY ('{text,varchar}'::regtype[]))
        THEN '(' || string_agg(format('OLD.%1$I COLLATE "C" = NEW.%1$I COLLATE "C"', a.attname), ' AND ' ORDER BY a.attnum) || ')' ELSE 'false' END
    FROM pg_attribute AS a
    WHERE a.attrelid = source AND a.attname = ANY (vectorize.template_columns(template)) AND a.attnum > 0 AND NOT a.attisdropped
$$;

-- Each setting costs every row of every update, so only those that the template's types look at.
CREATE OR REPLACE FUNCTION vectorize.render_settings_of(source oid, template text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN bool_and(vectorize.base_type(a.atttypid) = ANY ('{text,varchar,bpchar,int2,int4,int8,numeric,bool,uuid,json,jsonb}'::regtype[]))
                THEN '' ELSE vectorize.render_settings() END
    FROM pg_attribute AS a
    WHERE a.attrelid = source AND a.attname = ANY (vectorize.template_columns(template)) AND a.attnum > 0 AND NOT a.attisdropped
$$;

CREATE OR REPLACE PROCEDURE vectorize.generate_sync(j vectorize.job)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    -- One at a time: a definition, an upgrade, or a worker that saw another type.
    PERFORM FROM vectorize.job WHERE id = j.id FOR NO KEY UPDATE;
    EXECUTE vectorize.sync_function(j);
    -- The table's own lock is held here, so nothing else may be waited for.
    EXECUTE format($f$CREATE OR REPLACE FUNCTION vectorize_jobs.truncated_%s() RETURNS trigger
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
        AS 'BEGIN PERFORM vectorize.note_doubt(%s); RETURN NULL; END'$f$, j.id, j.id);
END
$$;

RESET ROLE;
