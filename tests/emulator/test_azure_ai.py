"""The stand-in azure_ai extension: what its functions take, give and say."""

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.emulator.ai_accounts import KEY, LANGUAGE_HOST, OPENAI_HOST, SERVER, running_services
from tests.emulator.azure_ai_server import AzureAiServer, azure_ai_server

VECTOR = "SELECT azure_openai.create_embeddings('small', %s)"


@pytest.fixture(scope="module", params=["16", "18"])
def running(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[AzureAiServer]:
    with (
        running_services(tmp_path_factory.mktemp("ai")) as services,
        azure_ai_server(tmp_path_factory.mktemp("home"), services, request.param) as server,
    ):
        yield server


@pytest.fixture
def server(running: AzureAiServer) -> AzureAiServer:
    running.use_identity()
    return running


def error_of(server: AzureAiServer, statement: str, *values: Any) -> str:
    with pytest.raises(psycopg.errors.InternalError_) as caught:
        server.one(statement, *values)
    assert caught.value.sqlstate == "XX000"
    return str(caught.value.diag.message_primary)


def requests_of(server: AzureAiServer, deployment: str = "small") -> int:
    return server.services.usage.of("contracts-ai", deployment).requests


def test_the_version_and_the_13_settings(server: AzureAiServer) -> None:
    assert server.one("SELECT azure_ai.version()") == "1.3.1"
    keys = [
        *(f"azure_openai.{name}" for name in ("endpoint", "subscription_key", "auth_type")),
        *(f"azure_cognitive.{name}" for name in ("endpoint", "subscription_key", "auth_type", "region")),
        "azure_cognitive.translator_resource_id",
        *(f"azure_ml.{name}" for name in ("scoring_endpoint", "endpoint_key", "auth_type")),
        "azure_ml.serverless_ranking_endpoint",
        "azure_ml.serverless_ranking_endpoint_key",
    ]
    assert len(keys) == 13
    for key in keys:
        before = server.one("SELECT azure_ai.get_setting(%s)", key)
        for value in ("a", "b", None, before):
            server.one("SELECT azure_ai.set_setting(%s, %s)", key, value)
            assert server.one("SELECT azure_ai.get_setting(%s)", key) == value
    for function in ("azure_ai.get_setting('azure_openai.key')", "azure_ai.set_setting('azure_openai.key', 'x')"):
        assert error_of(server, f"SELECT {function}") == "azure_openai.key is not a valid configuration key"


@pytest.mark.parametrize(
    ("arguments", "result", "expected"),
    [
        (
            "text, text, integer, integer, boolean, integer, integer",
            "real[]",
            (
                "deployment_name text, input text, dimensions integer DEFAULT NULL::integer, "
                "timeout_ms integer DEFAULT 3600000, throw_on_error boolean DEFAULT true, "
                "max_attempts integer DEFAULT 1, retry_delay_ms integer DEFAULT 1000"
            ),
        ),
        (
            "text, text[], integer, integer, integer, boolean, integer, integer",
            "TABLE(embedding real[])",
            (
                "deployment_name text, input text[], batch_size integer DEFAULT 100, "
                "dimensions integer DEFAULT NULL::integer, timeout_ms integer DEFAULT 3600000, "
                "throw_on_error boolean DEFAULT true, max_attempts integer DEFAULT 1, "
                "retry_delay_ms integer DEFAULT 1000"
            ),
        ),
    ],
)
def test_create_embeddings_is_declared_as_on_the_service(
    server: AzureAiServer, arguments: str, result: str, expected: str
) -> None:
    (row,) = server.rows(
        "SELECT pg_get_function_arguments(oid), pg_get_function_result(oid), provolatile FROM pg_proc "
        "WHERE oid = %s::regprocedure",
        f"azure_openai.create_embeddings({arguments})",
    )
    assert row == (expected, result, "i")


def test_every_documented_function_and_type_is_there(server: AzureAiServer) -> None:
    overloads = dict(
        server.rows(
            "SELECT pronamespace::regnamespace || '.' || proname, count(*)::integer FROM pg_proc "
            "WHERE pronamespace::regnamespace::text LIKE 'azure\\_%%' AND proname NOT LIKE 'emulator\\_%%' GROUP BY 1"
        )
    )
    three = ("analyze_sentiment", "extract_key_phrases", "recognize_pii_entities", "linked_entities")
    three += ("recognize_entities", "summarize_abstractive", "summarize_extractive")
    assert overloads == {
        **dict.fromkeys(("azure_ai.set_setting", "azure_ai.get_setting", "azure_ai.version"), 1),
        "azure_openai.create_embeddings": 2,
        **{f"azure_cognitive.{name}": 3 for name in three},
        "azure_cognitive.detect_language": 2,
        "azure_cognitive.translate": 4,
        **dict.fromkeys(("azure_ml.inference", "azure_ml.invoke", "azure_ai.is_true", "azure_ai.extract"), 1),
        "azure_ai.generate": 2,
        "azure_ai.rank": 3,
    }
    types = server.one("SELECT count(*) FROM pg_class WHERE relnamespace = 'azure_cognitive'::regnamespace")
    assert types == 11


def test_one_text_and_many(server: AzureAiServer) -> None:
    one = server.one(VECTOR, "late delivery")
    assert len(one) == 1536
    assert sum(number * number for number in one) == pytest.approx(1, abs=1e-4)
    many = server.rows(
        "SELECT n, e.v FROM azure_openai.create_embeddings('small', %s::text[]) WITH ORDINALITY AS e(v, n)",
        ["early delivery", "late delivery", 'with "quotes"\n, {braces}, \\ and \x01\x02\t漢字 🦄'],
    )
    assert [number for number, _ in many] == [1, 2, 3]
    assert many[1][1] == one
    assert all(len(vector) == 1536 for _, vector in many)


def test_every_character_reaches_the_service(server: AzureAiServer) -> None:
    from emulator.ai import vectors
    from emulator.ai.models import EMBEDDING_MODELS

    text = "".join(map(chr, range(1, 0x180))) + "\u2028 🦄 $(rm) `x` %{http_code} \\n ']}"
    expected = vectors.embed([text], EMBEDDING_MODELS["text-embedding-3-small"], 8)[0]
    assert server.one("SELECT azure_openai.create_embeddings('small', %s, dimensions => 8)", text) == pytest.approx(
        expected.tolist(), abs=1e-7
    )


def test_requests_are_one_a_batch(server: AzureAiServer) -> None:
    before = requests_of(server)
    rows = server.rows(
        "SELECT * FROM azure_openai.create_embeddings('small', %s::text[], batch_size => 3)", list("abcdefgh")
    )
    assert (len(rows), requests_of(server) - before) == (8, 3)


def test_null_texts_are_not_sent_and_nothing_is_asked_for_nothing(server: AzureAiServer) -> None:
    before = requests_of(server)
    assert server.one(VECTOR, None) is None
    assert server.rows("SELECT * FROM azure_openai.create_embeddings('small', '{}'::text[])") == []
    assert requests_of(server) == before
    rows = server.rows(
        "SELECT * FROM azure_openai.create_embeddings('small', ARRAY[NULL, 'a', NULL, 'b'], batch_size => 3)"
    )
    assert [row[0] is None for row in rows] == [True, False, True, False]
    assert rows[3][0] == server.one(VECTOR, "b")


def test_the_array_may_start_anywhere(server: AzureAiServer) -> None:
    rows = server.rows("SELECT * FROM azure_openai.create_embeddings('small', '[5:6]={a,b}'::text[], batch_size => 1)")
    assert [rows[0][0], rows[1][0]] == [server.one(VECTOR, "a"), server.one(VECTOR, "b")]


def test_dimensions(server: AzureAiServer) -> None:
    assert server.one("SELECT cardinality(azure_openai.create_embeddings('large', 'x', 1024))") == 1024
    assert server.one("SELECT cardinality(azure_openai.create_embeddings('large', 'x'))") == 3072
    said = error_of(server, "SELECT azure_openai.create_embeddings('ada', 'x', 256)")
    assert said == "azure_openai.create_embeddings: 400: This model does not support specifying dimensions."


def test_it_can_be_in_a_generated_column(server: AzureAiServer) -> None:
    with server.connect() as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS vector")
        connection.execute(
            "CREATE TABLE notes (body text, embedding vector(1536) GENERATED ALWAYS AS "
            "(azure_openai.create_embeddings('small', body)::vector) STORED)"
        )
        connection.execute("INSERT INTO notes VALUES ('a'), (NULL)")
        found = connection.execute("SELECT body, vector_dims(embedding) FROM notes ORDER BY body").fetchall()
        connection.execute("DROP TABLE notes")
    assert found == [("a", 1536), (None, None)]


def test_it_works_in_a_read_only_transaction(server: AzureAiServer) -> None:
    with server.connect() as connection:
        connection.execute("SET default_transaction_read_only = on")
        assert connection.execute("SELECT cardinality(azure_openai.create_embeddings('small', 'x'))").fetchone() == (
            1536,
        )


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("azure_openai.create_embeddings('gone', 'x')", "404: The API deployment for this resource does not exist."),
        ("azure_openai.create_embeddings('sm/../all?a=b&c=%% é', 'x')", "404: The API deployment for this resource"),
        ("azure_openai.create_embeddings('small', '')", "400: '$.input' is invalid"),
        ("azure_openai.create_embeddings('small', repeat('late ', 9000))", "400: This model's maximum context length"),
    ],
)
def test_what_the_service_refuses_is_said_in_the_services_words(
    server: AzureAiServer, statement: str, said: str
) -> None:
    assert error_of(server, f"SELECT {statement}").startswith(f"azure_openai.create_embeddings: {said}")


def test_a_wrong_key_and_a_right_one(server: AzureAiServer) -> None:
    server.configure(azure_openai__auth_type="subscription-key", azure_openai__subscription_key="wrong")
    assert error_of(server, VECTOR, "x").startswith("azure_openai.create_embeddings: 401: Access denied due to invalid")
    server.configure(azure_openai__subscription_key=KEY)
    assert server.one(VECTOR, "x")


def test_the_way_to_sign_in_follows_the_key_where_it_is_not_set(server: AzureAiServer) -> None:
    server.configure(azure_openai__auth_type=None, azure_openai__subscription_key="wrong")
    assert "401" in error_of(server, VECTOR, "x")
    server.configure(azure_openai__subscription_key="")
    assert server.one(VECTOR, "x")


def test_an_identity_without_the_role_is_refused(server: AzureAiServer) -> None:
    roles = server.services.lookup.roles
    kept = roles.pop(SERVER.object_id)
    try:
        said = error_of(server, VECTOR, "x")
    finally:
        roles[SERVER.object_id] = kept
    assert said.startswith("azure_openai.create_embeddings: 401: The principal `")
    assert "lacks the required data action" in said


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"azure_openai__endpoint": None}, "azure_openai.endpoint is not set"),
        ({"azure_openai__endpoint": ""}, "azure_openai.endpoint is not set"),
        ({"azure_openai__endpoint": "file:///etc/passwd"}, "must be an https:// address"),
        ({"azure_openai__endpoint": 'https://a"\nurl = "file:///etc/passwd'}, "must be an https:// address"),
        ({"azure_openai__auth_type": "password"}, "must be subscription-key or managed-identity, not 'password'"),
        ({"azure_openai__auth_type": "subscription-key"}, "azure_openai.subscription_key is not set"),
        ({"azure_openai__endpoint": "https://elsewhere.example"}, "503: no connection to the service"),
        ({"azure_openai__endpoint": "https://unknown.openai.azure.com"}, "404: Resource not found"),
    ],
)
def test_a_wrong_setting_is_explained(server: AzureAiServer, settings: dict[str, str | None], said: str) -> None:
    server.configure(**settings)
    message = error_of(server, VECTOR, "x")
    assert message.startswith("azure_openai.create_embeddings: ")
    assert said in message


def test_without_throw_on_error_there_is_a_warning_and_no_vector(server: AzureAiServer) -> None:
    notices: list[str | None] = []
    with server.connect() as connection:
        connection.add_notice_handler(lambda notice: notices.append(notice.message_primary))
        quiet = "throw_on_error => false"
        assert connection.execute(f"SELECT azure_openai.create_embeddings('gone', 'x', {quiet})").fetchone() == (None,)
        rows = connection.execute(
            f"SELECT * FROM azure_openai.create_embeddings('small', ARRAY['a', '', 'b', 'c'], batch_size => 2, {quiet})"
        ).fetchall()
    assert [row[0] is None for row in rows] == [True, True, False, False]
    assert [(notice or "")[:36] for notice in notices] == [
        "azure_openai.create_embeddings: 404:",
        "azure_openai.create_embeddings: 400:",
    ]


def test_429_is_tried_again_and_then_said(server: AzureAiServer) -> None:
    server.one("SELECT azure_openai.create_embeddings('slow', 'x', throw_on_error => false)")
    before = server.services.usage.of("contracts-ai", "slow").throttled
    said = error_of(
        server, "SELECT azure_openai.create_embeddings('slow', 'x', max_attempts => 3, retry_delay_ms => 0)"
    )
    assert said.startswith("azure_openai.create_embeddings: 429: Requests to the Embeddings_Create Operation")
    assert "Please retry after" in said
    assert server.services.usage.of("contracts-ai", "slow").throttled - before == 3


def test_400_is_not_tried_again(server: AzureAiServer) -> None:
    arrivals = server.services.arrivals
    error_of(server, "SELECT azure_openai.create_embeddings('small', '', max_attempts => 5, retry_delay_ms => 0)")
    assert server.services.arrivals - arrivals == 1


def test_sentiment(server: AzureAiServer) -> None:
    (row,) = server.rows(
        "SELECT (azure_cognitive.analyze_sentiment('The delivery was late and the work poor.', 'en')).*"
    )
    assert row[0] == "negative"
    assert sum(row[1:]) == pytest.approx(1)
    texts = ["Excellent work.", None, "A terrible delay.", "It has three pages."]
    rows = server.rows(
        "SELECT r.sentiment FROM azure_cognitive.analyze_sentiment(%s::text[], batch_size => 2) AS r", texts
    )
    assert [row[0] for row in rows] == ["positive", None, "negative", "neutral"]
    rows = server.rows(
        "SELECT r.sentiment FROM azure_cognitive.analyze_sentiment(ARRAY['Bad.', 'Good.'], ARRAY['en', 'fr']) AS r"
    )
    assert [row[0] for row in rows] == ["negative", "positive"]


def test_language_key_phrases_and_personal_data(server: AzureAiServer) -> None:
    (row,) = server.rows("SELECT (azure_cognitive.detect_language('Guten Tag, wir sind hier')).*")
    assert row[:2] == ("German", "de")
    rows = server.rows(
        "SELECT r.iso6391_name FROM azure_cognitive.detect_language(ARRAY['Good day to you', 'le chat est là']) AS r"
    )
    assert [row[0] for row in rows] == ["en", "fr"]
    phrases = server.one("SELECT azure_cognitive.extract_key_phrases('It has a late delivery penalty.', 'en')")
    assert phrases == ["late delivery penalty"]
    rows = server.rows(
        "SELECT key_phrases FROM azure_cognitive.extract_key_phrases('{the invoice,the vendor}'::text[])"
    )
    assert [row[0] for row in rows] == [["invoice"], ["vendor"]]
    (row,) = server.rows(
        "SELECT p.redacted_text, p.entities[1].text, p.entities[1].category "
        "FROM azure_cognitive.recognize_pii_entities('Mail jo@contoso.com now', 'en', domain => 'none') AS p"
    )
    assert row == ("Mail ************** now", "jo@contoso.com", "Email")


def test_a_bad_document_is_said_with_its_code(server: AzureAiServer) -> None:
    said = error_of(server, "SELECT azure_cognitive.analyze_sentiment(' ')")
    assert said == "azure_cognitive.analyze_sentiment: InvalidDocument: Document text is empty."
    said = error_of(
        server, "SELECT azure_cognitive.analyze_sentiment(array_fill('x'::text, ARRAY[11]), batch_size => 11)"
    )
    assert said == (
        "azure_cognitive.analyze_sentiment: InvalidRequest: Invalid document in request.\n\n"
        "InvalidDocumentBatch: Batch request contains too many records. Max 10 records are permitted."
    )
    rows = server.rows(
        "SELECT r.sentiment "
        "FROM azure_cognitive.analyze_sentiment(ARRAY['Good.', ' ', 'Bad.'], throw_on_error => false) AS r"
    )
    assert [row[0] for row in rows] == ["positive", None, "negative"]
    said = error_of(server, "SELECT azure_cognitive.analyze_sentiment(ARRAY['a', 'b', 'c'], ARRAY['en', 'de'])")
    assert said == "azure_cognitive.analyze_sentiment: InvalidArgument: 3 texts but 2 languages"


def test_entities_and_summaries(server: AzureAiServer) -> None:
    found = server.rows(
        "SELECT text, category FROM unnest(azure_cognitive.recognize_entities('Contoso Ltd is in Oslo.', 'en')) AS e"
    )
    assert found == [("Contoso Ltd", "Organization"), ("Oslo", "Location")]
    text = "The valves were late. The valves cost a penalty. It rained."
    both = server.rows(
        "SELECT s.summaries FROM azure_cognitive.summarize_abstractive(ARRAY[%s, 'Short.'], sentence_count => 2) AS s",
        text,
    )
    assert both == [(["The valves were late.", "The valves cost a penalty."],), (["Short."],)]


def test_a_chat_model_answers(server: AzureAiServer) -> None:
    text = 'Contoso Ltd pays on March 3, 2024.\nThe work was "excellent".'
    said = server.one("SELECT azure_ai.generate(%s, model => 'talk')", text)
    assert said
    assert said == server.one("SELECT azure_ai.generate(prompt => %s, model => 'talk', system_prompt => 'x')", text)
    schema = '{"name": "n", "schema": {"type": "object", "properties": {"due_date": {"type": "string"}}}}'
    answer = server.one("SELECT azure_ai.generate(prompt => %s, json_schema => %s, model => 'talk')", text, schema)
    assert answer == {"due_date": "March 3, 2024"}
    labels = ["due: date - when payment is due", "payer: the company that pays"]
    assert server.one("SELECT azure_ai.extract(%s, %s, 'talk')", text, labels) == {
        "due": "March 3, 2024",
        "payer": "Contoso Ltd",
    }
    for statement, answer in (("The work was excellent.", True), ("It was a bad delay.", False), ("Was it?", None)):
        assert server.one("SELECT azure_ai.is_true(%s, 'talk')", statement) is answer


def test_a_chat_model_that_is_not_there_is_said(server: AzureAiServer) -> None:
    assert error_of(server, "SELECT azure_ai.generate('x')").startswith("azure_ai.generate: 404: The API deployment")
    said = error_of(server, "SELECT azure_ai.extract('x', ARRAY['a'], 'small')")
    assert said.startswith("azure_ai.extract: 400: The chatCompletion operation does not work with")


def test_texts_are_ranked_by_how_well_they_answer(server: AzureAiServer) -> None:
    texts = ["The cat sleeps.", "A penalty is due for late delivery.", "Deliveries that come late cost a fine."]
    found = server.rows("SELECT id, rank, score FROM azure_ai.rank('late delivery penalty', %s)", texts)
    assert [(number, place) for number, place, _ in found] == [(1, 1), (2, 2), (0, 3)]
    assert [score for *_, score in found] == sorted((score for *_, score in found), reverse=True)
    assert server.rows("SELECT id, rank, score FROM azure_ai.rank('late delivery penalty', %s)", texts) == found
    named = "SELECT id FROM azure_ai.rank('late delivery penalty', %s, '{}'::{}[], 'another-model')"
    assert server.rows(named.format("{70,80,90}", "integer"), texts) == [(80,), (90,), (70,)]
    assert server.rows(named.format("{a,b,c}", "text"), texts) == [("b",), ("c",), ("a",)]
    assert server.rows("SELECT * FROM azure_ai.rank('x', '{}'::text[])") == []
    assert error_of(server, "SELECT azure_ai.rank('', ARRAY['x'])").startswith("azure_ai.rank: 400: query must be")


@pytest.mark.parametrize(
    "call",
    [
        "azure_ml.invoke('{}', deployment_name => 'd')",
        "azure_ml.inference('{}')",
        "azure_cognitive.translate('x', 'de')",
        "azure_cognitive.summarize_extractive('x', 'en', 2)",
        "azure_cognitive.linked_entities(ARRAY['x'], 'en')",
    ],
)
def test_what_has_no_service_behind_it_says_so(server: AzureAiServer, call: str) -> None:
    name = call.split("(", 1)[0]
    assert error_of(server, f"SELECT {call}") == (
        f"{name}: NotImplemented: the emulator has no service behind this function; docs/emulator.md lists what it has"
    )


def test_settings_are_of_one_database_and_go_with_the_extension(server: AzureAiServer) -> None:
    with server.connect(database="postgres") as connection:
        connection.execute("CREATE EXTENSION azure_ai")
        found = connection.execute("SELECT azure_ai.get_setting('azure_openai.endpoint')").fetchone()
        connection.execute("DROP EXTENSION azure_ai")
        left = connection.execute("SELECT count(*) FROM pg_namespace WHERE nspname LIKE 'azure%'").fetchone()
    assert (found, left) == ((None,), (0,))
    assert server.one("SELECT azure_ai.get_setting('azure_openai.endpoint')") == f"https://{OPENAI_HOST}/"
    assert server.one("SELECT azure_ai.get_setting('azure_cognitive.endpoint')") == f"https://{LANGUAGE_HOST}"
