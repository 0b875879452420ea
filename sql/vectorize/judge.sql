-- What a call's outcome means, and what is done about it: to the deployment, that others wait or go on; to the job, that it stops.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Returns what is to become of the batch: 'done', 'input' (split it), 'later' or 'stop'.
CREATE OR REPLACE FUNCTION vectorize.judge(j vectorize.job, d vectorize.deployment, state text, message text, sent_tokens bigint) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind text;
    failures integer;
BEGIN
    INSERT INTO vectorize.delta (job, tokens, requests) VALUES (j.id, CASE WHEN state IS NULL AND d.tokens_per_minute > 0 THEN sent_tokens ELSE 0 END, 1);
    IF state IS NULL THEN
        IF d.first_success_at IS NULL OR d.failures_in_a_row > 0 OR d.refused_since IS NOT NULL THEN
            PERFORM vectorize.call_succeeded(d.name);
        END IF;
        RETURN 'done';
    END IF;
    kind := CASE state WHEN 'dimensions' THEN 'dimensions' WHEN 'count' THEN 'later' WHEN 'answer' THEN 'input' ELSE vectorize.classify(state, message) END;
    IF kind = 'input' THEN
        PERFORM vectorize.note_error(j.id, message);
        RETURN 'input';
    END IF;
    IF kind = 'refused' AND vectorize.call_refused(d.name) THEN
        kind := 'later';
    ELSIF kind = 'later' AND NOT (vectorize.is_service_unwell(message) OR d.first_success_at IS NOT NULL AND vectorize.is_network_down(message)) THEN
        -- Nothing says that it passes: a network that never let a call through is as likely an endpoint that is wrong, and an answer with
        -- a wrong count of vectors is paid for. A hiccup passes; ten in a row are something that a person has to look at.
        SELECT failures_in_a_row INTO failures FROM vectorize.deployment WHERE name = d.name;
        kind := CASE WHEN failures >= 9 THEN 'here' ELSE 'later' END;
    END IF;
    IF kind = 'later' THEN
        PERFORM vectorize.back_off(d.name, vectorize.is_throttled(message), vectorize.retry_after(message));
        PERFORM vectorize.note_error(j.id, message);
        RETURN 'later';
    END IF;
    PERFORM vectorize.stop(j.id, format('%s. %s, then CALL vectorize.resume(%L)', rtrim(message, '. '),
        CASE WHEN kind = 'refused' THEN format('Check that %s exists and that the server''s identity or key may use it',
                 CASE WHEN d.tokens_per_minute IS NULL THEN 'the Language account' ELSE 'deployment ' || d.name END)
             WHEN kind = 'dimensions' THEN 'Correct the deployment or the job''s dimensions'
             ELSE 'Check azure_ai in this database: the extension, its settings, and the worker''s rights' END, j.name));
    RETURN 'stop';
END
$$;

RESET ROLE;
