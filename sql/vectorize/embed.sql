-- The call to the model. It runs as the worker's own role: who may use azure_ai is azure_ai's matter.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Embeds the texts in one request of the array form. The call stands alone in its EXCEPTION block. batch_size is the number
-- of texts, since its default of 100 would make several requests of one; retries are the engine's, so max_attempts is 1.
CREATE OR REPLACE FUNCTION vectorize.embed(
    deployment_name text, texts text[], asked_dimensions integer, expected_dimensions integer,
    OUT embeddings vectorize.embedding[], OUT state text, OUT message text
)
LANGUAGE plpgsql AS $$
DECLARE
    wrong integer;
BEGIN
    BEGIN
        SELECT pg_catalog.array_agg(ROW(e.ord, e.embedding)::vectorize.embedding) INTO embeddings
        FROM azure_openai.create_embeddings(deployment_name => deployment_name, input => texts, batch_size => pg_catalog.cardinality(texts),
            dimensions => asked_dimensions, timeout_ms => 90000, throw_on_error => true, max_attempts => 1)
            WITH ORDINALITY AS e (embedding, ord);
    EXCEPTION WHEN OTHERS THEN
        state := sqlstate;
        message := sqlerrm;
        RETURN;
    END;
    IF coalesce(pg_catalog.cardinality(embeddings), 0) <> pg_catalog.cardinality(texts) THEN
        state := 'count';
        message := pg_catalog.format('azure_openai.create_embeddings gave %s vectors for %s texts', coalesce(pg_catalog.cardinality(embeddings), 0), pg_catalog.cardinality(texts));
    ELSE
        SELECT coalesce(pg_catalog.cardinality(e.vector), 0) INTO wrong FROM pg_catalog.unnest(embeddings) AS e
        WHERE pg_catalog.cardinality(e.vector) IS DISTINCT FROM expected_dimensions LIMIT 1;
        IF FOUND THEN
            state := 'dimensions';
            message := pg_catalog.format('deployment %s gives %s dimensions, and the job needs %s', deployment_name, wrong, expected_dimensions);
        END IF;
    END IF;
END
$$;

RESET ROLE;
