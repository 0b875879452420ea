-- The call to the model. It runs as the worker's own role: who may use azure_ai is azure_ai's matter.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Embeds the texts in one request of the array form. The call stands alone in its EXCEPTION block. batch_size is the number
-- of texts, since its default of 100 would make several requests of one; retries are the engine's, so max_attempts is 1.
-- A vector with a number that is none of its type (NaN, infinity) is found when it is written, and costs its row only.
CREATE OR REPLACE FUNCTION vectorize.embed(deployment_name text, texts text[], asked_dimensions integer, expected_dimensions integer) RETURNS vectorize.reply
LANGUAGE plpgsql AS $$
DECLARE
    reply vectorize.reply;
    count integer;
    least integer;
    most integer;
BEGIN
    BEGIN
        SELECT pg_catalog.array_agg(ROW(e.ord, e.embedding)::vectorize.embedding), pg_catalog.count(*),
               pg_catalog.min(coalesce(pg_catalog.cardinality(e.embedding), 0)), pg_catalog.max(coalesce(pg_catalog.cardinality(e.embedding), 0))
        INTO reply.embeddings, count, least, most
        FROM azure_openai.create_embeddings(deployment_name => deployment_name, input => texts, batch_size => pg_catalog.cardinality(texts),
            dimensions => asked_dimensions, timeout_ms => 90000, throw_on_error => true, max_attempts => 1)
            WITH ORDINALITY AS e (embedding, ord);
    EXCEPTION WHEN OTHERS THEN
        reply.state := sqlstate;
        reply.message := sqlerrm;
        RETURN reply;
    END;
    IF count <> pg_catalog.cardinality(texts) THEN
        reply.state := 'count';
        reply.message := pg_catalog.format('azure_openai.create_embeddings gave %s vectors for %s texts', count, pg_catalog.cardinality(texts));
    ELSIF least <> expected_dimensions OR most <> expected_dimensions THEN
        reply.state := 'dimensions';
        reply.message := pg_catalog.format('deployment %s gives %s dimensions, and the job needs %s', deployment_name,
            CASE WHEN least <> expected_dimensions THEN least ELSE most END, expected_dimensions);
    END IF;
    RETURN reply;
END
$$;

RESET ROLE;
