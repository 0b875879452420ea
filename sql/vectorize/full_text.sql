-- Full text of a job's rows: which words a row has, and the index on them.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- A text search configuration by its name, with its schema; NULL where there is none. Without a schema it is one of PostgreSQL's own:
-- a search path would make two sessions read one definition differently.
CREATE OR REPLACE FUNCTION vectorize.text_configuration(name text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%I.%I', n.nspname, c.cfgname) FROM pg_ts_config AS c JOIN pg_namespace AS n ON n.oid = c.cfgnamespace
    WHERE text_configuration.name = concat(n.nspname, '.', c.cfgname) OR (n.nspname = 'pg_catalog' AND c.cfgname = text_configuration.name)
$$;

CREATE OR REPLACE FUNCTION vectorize.text_configurations() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT string_agg(CASE n.nspname WHEN 'pg_catalog' THEN c.cfgname ELSE concat(n.nspname, '.', c.cfgname) END, ', ' ORDER BY n.nspname <> 'pg_catalog', c.cfgname)
    FROM pg_ts_config AS c JOIN pg_namespace AS n ON n.oid = c.cfgnamespace
$$;

-- The columns of a template, each once. `steady`: its text is the same in every session, or no index can be made of it; that of a
-- date, an enum or an array is not.
CREATE OR REPLACE FUNCTION vectorize.word_columns(template text, source oid) RETURNS TABLE (ord bigint, name text, steady boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT min(p.ord), p.column_name, bool_and(f.provolatile = 'i')
    FROM vectorize.template_parts(template) AS p
    JOIN pg_attribute AS a ON a.attrelid = source AND a.attname = p.column_name AND a.attnum > 0 AND NOT a.attisdropped
    JOIN pg_type AS t ON t.oid = vectorize.base_type(a.atttypid)
    JOIN pg_proc AS f ON f.oid = t.typoutput
    GROUP BY p.column_name
$$;

-- The expression for the words of a row, whose columns begin with `alias` ('s.', or nothing in an index): those of the template's
-- columns. The template's own text is in every row, so it finds none. An index is used where its expression is this one to the letter.
-- Of the first 65,536 characters: to_tsvector refuses a text with more than a megabyte of words, and with an index a user's INSERT with it.
CREATE OR REPLACE FUNCTION vectorize.words_expression(template text, source oid, alias text, configuration text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('pg_catalog.to_tsvector(%L::pg_catalog.regconfig, pg_catalog.left(%s, 65536))', configuration,
        coalesce(string_agg(format('coalesce(CAST(%s%I AS pg_catalog.text), '''')', alias, c.name), $x$ OPERATOR(pg_catalog.||) ' ' OPERATOR(pg_catalog.||) $x$ ORDER BY c.ord), ''''''))
    FROM vectorize.word_columns(template, source) AS c WHERE c.steady
$$;

-- How the names of a job's index on words begin: the same for all its generations, which share the table, and another one for
-- other words.
CREATE OR REPLACE FUNCTION vectorize.words_index_prefix(j vectorize.job) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('words_%s_%s_', left(md5(j.name), 6), left(md5(vectorize.words_expression(j.template, j.source, '', vectorize.text_configuration(j.full_text))), 6))
$$;

-- Indexes on the words of a job's source; columns as in vectorize.job_indexes.
CREATE OR REPLACE FUNCTION vectorize.words_indexes(j vectorize.job, on_table oid) RETURNS TABLE (oid oid, name text, valid boolean, ours boolean, fits boolean, wanted boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.oid, format('%I.%I', n.nspname, c.relname), i.indisvalid, true, starts_with(c.relname, vectorize.words_index_prefix(j)),
           EXISTS (SELECT FROM vectorize.job AS o WHERE o.name = j.name AND o.source = j.source AND vectorize.embeds(o) AND o.standing <> 'previous' AND o.state <> 'removed'
                   AND vectorize.text_configuration(o.full_text) IS NOT NULL AND starts_with(c.relname, vectorize.words_index_prefix(o)))
    FROM pg_index AS i JOIN pg_class AS c ON c.oid = i.indexrelid JOIN pg_namespace AS n ON n.oid = c.relnamespace
    JOIN pg_am AS m ON m.oid = c.relam AND m.amname = 'gin'
    WHERE i.indrelid = on_table AND c.relname ~ format('^words_%s_[0-9a-f]{6}_', left(md5(j.name), 6))
$$;

CREATE OR REPLACE FUNCTION vectorize.full_text_mistakes(spec jsonb) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.mistake
    FROM (SELECT spec -> 'full_text' AS f, spec #>> '{full_text,language}' AS language) AS x, LATERAL (SELECT CASE
        WHEN f = 'null' THEN NULL
        WHEN jsonb_typeof(f) <> 'object' THEN 'full_text: not an object of language'
        WHEN f <> jsonb_build_object('language', language) THEN 'full_text: not an object of language, which is a name'
        WHEN vectorize.text_configuration(language) IS NULL
        THEN format('full_text.language: there is no text search configuration %s; there are %s', language, vectorize.text_configurations()) END) AS m (mistake)
    WHERE m.mistake IS NOT NULL
$$;

-- What a definition says of columns that full text does not read; NULL when it reads them all.
CREATE OR REPLACE FUNCTION vectorize.words_left_out(j vectorize.job) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'full text leaves out what no index can be made of: ' || string_agg(c.name, ', ' ORDER BY c.ord)
    FROM vectorize.word_columns(j.template, j.source) AS c WHERE NOT c.steady AND j.full_text IS NOT NULL
$$;

RESET ROLE;
