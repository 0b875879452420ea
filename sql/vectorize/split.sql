-- Cutting a long text into chunks: at paragraphs where there are any, else at sentences or lines, else between words.
SET LOCAL ROLE vectorize_owner;
SET LOCAL check_function_bodies = off;  -- files run in the order of their names, and name each other

-- Chunks of at most `max_tokens` (estimated), each beginning with the last `overlap` tokens or so of the one before.
-- Nothing of the text is left out but white space around a chunk. Only `rest` is cut, as far ahead as a cut looks: to cut the whole text
-- for each chunk takes hours for one of tens of megabytes. By bytes, since to find a character all before it are counted.
CREATE OR REPLACE FUNCTION vectorize.split(content text, max_tokens integer, overlap integer, bytes_per_token real) RETURNS text[]
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rest text := btrim(content, E' \t\n\r\f\x0b');
    -- Rounded, so that a small edit does not move every cut.
    characters_per_token float8 := greatest(0.25, round(4 * length(rest)::numeric / vectorize.tokens(rest, bytes_per_token)) / 4);
    whole bytea := convert_to(rest, 'UTF8');
    taken integer := 0;  -- bytes of it that were in `rest` so far
    upto integer;
    ahead integer := greatest(1, floor(max_tokens * characters_per_token)) + 25;  -- a chunk at most, and what `border` sees behind it
    pieces text[] := '{}';
    head text := '';  -- what a chunk repeats of the one before
    piece text;
BEGIN
    rest := '';
    LOOP
        IF length(rest) < ahead AND taken < octet_length(whole) THEN
            upto := least(octet_length(whole), taken + 4 * ahead);
            WHILE upto < octet_length(whole) AND get_byte(whole, upto) & 192 = 128 LOOP
                upto := upto + 1;  -- inside a character
            END LOOP;
            rest := rest || convert_from(substring(whole FROM taken + 1 FOR upto - taken), 'UTF8');
            taken := upto;
        END IF;
        EXIT WHEN rest = '';
        piece := left(rest, greatest(1, floor((max_tokens - vectorize.tokens(head, bytes_per_token)) * characters_per_token)::integer));
        WHILE vectorize.tokens(head || piece, bytes_per_token) > max_tokens AND length(piece) > 1 LOOP
            piece := left(piece, length(piece) * 9 / 10);
        END LOOP;
        IF length(piece) < length(rest) THEN
            piece := left(piece, vectorize.border(piece, rest));
        END IF;
        rest := substr(rest, length(piece) + 1);
        piece := head || piece;
        pieces := pieces || btrim(piece, E' \t\n\r\f\x0b');
        head := vectorize.chunk_end(piece, (overlap * characters_per_token)::integer);
        WHILE head <> '' AND vectorize.tokens(head, bytes_per_token) > overlap LOOP
            head := right(head, length(head) * 9 / 10);  -- denser than the whole text is
        END LOOP;
    END LOOP;
    RETURN pieces;
END
$$;

-- Where to cut inside `piece`, the first part of `rest`: a position in its last two thirds. Among borders of one kind the choice is
-- by a hash of the text behind each, so that it depends on the text nearby alone: after an edit the cuts further on are soon
-- the same as before, and chunks that did not change are not embedded again.
CREATE OR REPLACE FUNCTION vectorize.border(piece text, rest text) RETURNS integer
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    first integer := greatest(1, length(piece) / 3);
    kind text;
    best integer;
BEGIN
    FOREACH kind IN ARRAY ARRAY['\n[ \t]*\n\s*', '[.!?]["'')\]]*\s+|[。！？]\s*|\n\s*'] LOOP
        SELECT b.position INTO best
        FROM generate_series(1, regexp_count(piece, kind, first)) AS n, LATERAL (SELECT regexp_instr(piece, kind, first, n, 1) - 1 AS position) AS b
        ORDER BY md5(substr(rest, b.position + 1, 24)), b.position LIMIT 1;
        IF best IS NOT NULL THEN
            RETURN best;
        END IF;
    END LOOP;
    best := length(piece) - length(regexp_replace(piece, '^.*\s', ''));
    RETURN CASE WHEN best >= first THEN best ELSE length(piece) END;
END
$$;

-- The last `characters` or fewer, from the beginning of a sentence where one begins in their first half, else of a word.
CREATE OR REPLACE FUNCTION vectorize.chunk_end(piece text, characters integer) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    whole text := CASE WHEN characters > 0 THEN right(piece, characters) ELSE '' END;
    from_sentence integer := regexp_instr(left(whole, characters / 2), '[.!?]["'')\]]*\s+|[。！？]\s*|\n\s*', 1, 1, 1);
BEGIN
    IF length(whole) = length(piece) THEN
        RETURN whole;
    END IF;
    RETURN CASE WHEN from_sentence > 0 THEN substr(whole, from_sentence) ELSE regexp_replace(whole, '^\S*\s+', '') END;
END
$$;

RESET ROLE;
