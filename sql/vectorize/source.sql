-- What the catalog says about a source table: its key, its types, and the facts that a job relies on.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

CREATE OR REPLACE FUNCTION vectorize.base_type(type oid) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE chain AS (
        SELECT t.oid, t.typtype, t.typbasetype FROM pg_type AS t WHERE t.oid = type
        UNION ALL
        SELECT t.oid, t.typtype, t.typbasetype FROM chain JOIN pg_type AS t ON t.oid = chain.typbasetype WHERE chain.typtype = 'd'
    )
    SELECT oid FROM chain WHERE typtype <> 'd'
$$;

-- The columns of the unique index that can serve as key, in the index's order: the primary key where none is asked for.
-- NULL when there is none: every column NOT NULL; the index whole (not partial, no expression), immediate, and equal in the
-- same sense as the column's own type and collation, or two keys of the source would be one key of the queue.
CREATE OR REPLACE FUNCTION vectorize.source_key(source oid, wanted text[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT k.columns
    FROM pg_index AS i
    JOIN pg_class AS c ON c.oid = i.indexrelid
    JOIN pg_am AS m ON m.oid = c.relam AND m.amname = 'btree'
    CROSS JOIN LATERAL (
        SELECT array_agg(a.attname::text ORDER BY n.ord) AS columns, bool_and(a.attnotnull) AS not_null,
               bool_and(o.opcdefault AND i.indcollation[n.ord - 1] = a.attcollation) AS plain
        FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS n (attnum, ord)
        JOIN pg_attribute AS a ON a.attrelid = i.indrelid AND a.attnum = n.attnum
        JOIN pg_opclass AS o ON o.oid = i.indclass[n.ord - 1]
        WHERE n.ord <= i.indnkeyatts
    ) AS k
    WHERE i.indrelid = source AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
      AND k.not_null AND k.plain
      AND CASE WHEN cardinality(wanted) = 0 THEN i.indisprimary
               ELSE k.columns @> wanted AND wanted @> k.columns AND cardinality(wanted) = cardinality(k.columns) END
    ORDER BY i.indisprimary DESC, i.indexrelid
    LIMIT 1
$$;

-- Types of the key's columns without length, as arguments and variables need them: `bpchar`, not `character`, which means 1.
CREATE OR REPLACE FUNCTION vectorize.key_types(source oid, key text[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(format_type(vectorize.base_type(a.atttypid), -1) ORDER BY k.ord)
    FROM unnest(key) WITH ORDINALITY AS k (name, ord)
    JOIN pg_attribute AS a ON a.attrelid = source AND a.attname = k.name AND NOT a.attisdropped
$$;

-- "type(collation)" of each column named, for definitions of tables with the same columns.
CREATE OR REPLACE FUNCTION vectorize.key_definitions(source oid, key text[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(format_type(t.oid, -1) || CASE WHEN a.attcollation NOT IN (0, t.typcollation)
               THEN format(' COLLATE %I.%I', n.nspname, c.collname) ELSE '' END ORDER BY k.ord)
    FROM unnest(key) WITH ORDINALITY AS k (name, ord)
    JOIN pg_attribute AS a ON a.attrelid = source AND a.attname = k.name AND NOT a.attisdropped
    JOIN pg_type AS t ON t.oid = vectorize.base_type(a.atttypid)
    LEFT JOIN pg_collation AS c ON c.oid = a.attcollation
    LEFT JOIN pg_namespace AS n ON n.oid = c.collnamespace
$$;

-- How keys are compared: by the operators of the key's own index, with their schemas. The engine's functions look nothing up
-- by name in a schema that users write to.
CREATE OR REPLACE FUNCTION vectorize.key_operators(source oid, key text[]) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT array_agg(format('OPERATOR(%I.%s)', n.nspname, op.oprname) ORDER BY k.ord)
    FROM unnest(key) WITH ORDINALITY AS k (name, ord)
    JOIN pg_attribute AS a ON a.attrelid = source AND a.attname = k.name AND NOT a.attisdropped
    CROSS JOIN LATERAL (
        SELECT i.indclass[array_position(i.indkey::int2[], a.attnum)] AS opclass FROM pg_index AS i
        WHERE i.indrelid = source AND i.indisunique AND array_position(i.indkey::int2[], a.attnum) < i.indnkeyatts
        ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1
    ) AS i
    JOIN pg_opclass AS c ON c.oid = i.opclass
    JOIN pg_amop AS m ON m.amopfamily = c.opcfamily AND m.amoplefttype = c.opcintype AND m.amoprighttype = c.opcintype AND m.amopstrategy = 3
    JOIN pg_operator AS op ON op.oid = m.amopopr
    JOIN pg_namespace AS n ON n.oid = op.oprnamespace
$$;

-- The schema of pgvector, which names its types and operators; NULL where it is not installed.
CREATE OR REPLACE FUNCTION vectorize.vector_schema() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT quote_ident(n.nspname) FROM pg_extension AS e JOIN pg_namespace AS n ON n.oid = e.extnamespace WHERE e.extname = 'vector'
$$;

-- A table's name as people write it.
CREATE OR REPLACE FUNCTION vectorize.table_name(table_oid oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace WHERE c.oid = table_oid
$$;

-- Whether row security keeps every row from the table's own owner, as whom rows are read: they would seem to be gone.
CREATE OR REPLACE FUNCTION vectorize.hides_rows(source oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.relrowsecurity AND c.relforcerowsecurity
        AND NOT EXISTS (SELECT FROM pg_roles WHERE oid = c.relowner AND (rolbypassrls OR rolsuper))
        AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = c.oid AND polpermissive AND polcmd IN ('*', 'r') AND polroles && ARRAY[c.relowner, 0::oid])
    FROM pg_class AS c WHERE c.oid = source
$$;

-- Whether other tables than partitions inherit from it: their rows would be read with its own, and fire none of its triggers.
CREATE OR REPLACE FUNCTION vectorize.has_heirs(source oid) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT c.relkind = 'r' AND c.relhassubclass AND EXISTS (SELECT FROM pg_inherits WHERE inhparent = source) FROM pg_class AS c WHERE c.oid = source
$$;

-- The labels of the enums among the columns named: one that is renamed is another text in every row.
CREATE OR REPLACE FUNCTION vectorize.enum_labels(source oid, columns text[]) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_object_agg(a.attname, (SELECT jsonb_agg(e.enumlabel ORDER BY e.enumsortorder) FROM pg_enum AS e WHERE e.enumtypid = l.oid))
    FROM pg_attribute AS a
    JOIN pg_type AS t ON t.oid = vectorize.base_type(a.atttypid)
    JOIN pg_type AS l ON l.oid = CASE t.typcategory WHEN 'A' THEN vectorize.base_type(t.typelem) ELSE t.oid END AND l.typtype = 'e'
    WHERE a.attrelid = source AND a.attname = ANY (columns) AND NOT a.attisdropped
$$;

-- Everything about the source that a job takes for granted, and what shows that rows changed without firing a trigger. `define` keeps it,
-- workers compare (health.sql). What a version looks at besides gets a name of its own: what an earlier one kept stays comparable.
CREATE OR REPLACE FUNCTION vectorize.source_facts(j vectorize.job) RETURNS jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_object(
        'owner', c.relowner::bigint,
        'key', to_jsonb(vectorize.source_key(c.oid, j.key_columns)),
        'key types', to_jsonb(vectorize.key_types(c.oid, j.key_columns)),
        'template', (
            SELECT jsonb_object_agg(a.attname, format_type(a.atttypid, a.atttypmod)) FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND a.attname = ANY (vectorize.template_columns(j.template)) AND NOT a.attisdropped),
        -- One that was dropped and added, or goes by the name of another, has another number.
        'columns', (
            SELECT jsonb_object_agg(a.attname, a.attnum) FROM pg_attribute AS a
            WHERE a.attrelid = c.oid AND NOT a.attisdropped
              AND a.attname = ANY (vectorize.template_columns(j.template) || CASE j.target WHEN 'column' THEN j.target_column END)),
        'labels', vectorize.enum_labels(c.oid, vectorize.template_columns(j.template)),
        -- A table that was written anew (ALTER TYPE ... USING) has another file. So it has after VACUUM FULL; comparing its rows costs no call.
        'file', pg_relation_filenode(c.oid),
        'target', (
            SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute AS a
            WHERE a.attrelid = j.target_table AND a.attname = CASE j.operation WHEN 'split' THEN 'content' ELSE j.target_column END AND NOT a.attisdropped),
        'triggers', (
            SELECT count(*) FROM pg_trigger AS t JOIN pg_proc AS p ON p.oid = t.tgfoid
            WHERE t.tgrelid = c.oid AND p.pronamespace = 'vectorize_jobs'::regnamespace AND t.tgenabled = 'A'
              AND p.proname IN (format('sync_%s', j.id), format('truncated_%s', j.id))),
        'functions', (
            SELECT count(*) FROM pg_proc AS p
            WHERE p.pronamespace = 'vectorize_jobs'::regnamespace AND p.proowner = c.relowner AND p.prosecdef
              AND p.proname IN (format('read_%s', j.id), format('scan_%s', j.id), format('sample_%s', j.id),
                                format('lock_%s', j.id), format('write_%s', j.id))),
        -- The functions go by these names.
        'names', jsonb_build_array(vectorize.table_name(c.oid), vectorize.table_name(j.target_table)))
        || CASE c.relkind WHEN 'p' THEN (
            -- Rows that come and go with a partition fire no trigger, nor does TRUNCATE of one that came later: it has other files then. One
            -- that was away for a while, and changed there, came back with other triggers.
            SELECT jsonb_build_object('partitions', jsonb_object_agg(p.relid::bigint::text, pg_relation_filenode(p.relid)),
                                      'partition triggers', md5(string_agg(t.oid::text, ',' ORDER BY p.relid)))
            FROM pg_partition_tree(c.oid) AS p
            LEFT JOIN pg_trigger AS t ON t.tgrelid = p.relid AND t.tgname = format('vectorize_%s', j.id)
            WHERE p.isleaf) ELSE '{}' END
    FROM pg_class AS c WHERE c.oid = j.source
$$;

RESET ROLE;
