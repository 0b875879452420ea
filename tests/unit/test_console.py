"""The console without a database: what it shows, and to whom it does not answer."""

from __future__ import annotations

import http.client
import re
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import requests

from database.errors import UnreachableError
from tests.unit.console_site import HOSTILE, NOW, NoDatabase, declared, job, quota, serving, whole
from tools.console.declared import draw
from tools.console.guard import names_this_machine
from tools.console.page import Asked, Pages, Shown, key, plain
from tools.console.quota import HEIGHT, use
from tools.console.reading import Overview
from tools.console.searching import Column, Hit
from tools.console.server import Console
from tools.watch.reading import Snapshot

HIT = Hit({"id": 7}, None, "distance 0.1234", "a late delivery")


class Opened:
    """A console that serves, with what its database was told."""

    def __init__(self, *, actions: bool = False, found: Overview | None = None) -> None:
        self.database = NoDatabase(found or whole(), [Column("Vector", "nearest in meaning", [HIT])])
        self.console = Console("local", self.database, actions=actions)  # type: ignore[arg-type]
        self.url = ""

    def get(self, path: str = "", **options: Any) -> requests.Response:
        return requests.get(f"{self.url}{path}", timeout=10, allow_redirects=False, **options)

    def act(self, **changes: Any) -> requests.Response:
        """Do what the page's own form does, but for what is to differ."""
        origin = f"http://{urlsplit(self.url).netloc}"
        form = {"action": "retry", "job": "docs", "form": self.console.guard.form, **changes.pop("form", {})}
        headers = {"Origin": origin, **changes.pop("headers", {})}
        headers = {name: value for name, value in headers.items() if value is not None}
        return requests.post(f"{self.url}act", data=form, headers=headers, timeout=10, allow_redirects=False)


@pytest.fixture(scope="module")
def looking() -> Iterator[Opened]:
    opened = Opened()
    with serving(opened.console) as opened.url:
        yield opened


@pytest.fixture
def acting() -> Iterator[Opened]:
    opened = Opened(actions=True)
    with serving(opened.console) as opened.url:
        yield opened


def rendered(found: Overview | None = None, asked: Asked | None = None, **changes: Any) -> str:
    shown: dict[str, Any] = {
        "stack": "local", "overview": found or whole(), "trouble": "", "form": "", "said": "", "now": NOW,
    }  # fmt: skip
    return Pages().page(Shown(**{**shown, **changes}), asked or Asked())


def words(html: str) -> str:
    return " ".join(re.sub(r"<[^>]*>", " ", html).split())


def test_the_page_says_how_far_the_jobs_are() -> None:
    html = rendered()
    text = words(html)
    assert "docs public.docs 61 % 61 % 610 of 1,000 rows" in text
    assert "412 rows/s · 35,100 tokens/s · about 1 min 15 s left · 300 pending · 90 leased · " in text
    assert " · 2 in quarantine · " in text
    assert 'max="1000" value="610"' in html
    assert "docs id 7 1 04 May 10:30 400: too long" in text
    assert "docs 0.2500 1.5000 2.7500 60,000 7" in text
    assert "make retry JOB=" in text
    assert "<button name" not in html


def test_a_job_that_stands_says_why_and_a_next_generation_has_a_bar_of_its_own() -> None:
    stopped = job(state="stopped", reason="the source table is gone", next_generation=2, next_embedded=250)
    failed = job(name="other", last_error="429: wait", last_error_at=NOW - timedelta(seconds=8))
    text = words(rendered(whole(snapshot=Snapshot(NOW, [stopped, failed]))))
    assert "stopped : the source table is gone" in text
    assert "25 % of generation 2" in text
    assert "Last error, 8 s ago: 429: wait" in text


def test_without_jobs_or_an_engine_the_page_says_what_to_do() -> None:
    assert "There is no job." in words(rendered(Overview(Snapshot(NOW))))
    assert "make up STACK=local" in words(rendered(Overview(Snapshot(NOW, installed=False))))


def test_the_last_hour_is_a_bar_a_minute() -> None:
    minutes = [
        {
            "deployment": "embedding",
            "minute": NOW.replace(second=0) - timedelta(minutes=ago),
            "tokens": tokens,
            "requests": asked,
        }
        for ago, tokens, asked in ((59, 35_000, 10), (1, 700_000, 10), (0, 0, 1050), (60, 1, 1))
    ] + [{"deployment": "another", "minute": NOW.replace(second=0), "tokens": 1, "requests": 1}]
    shown = use(quota(), minutes, NOW)
    assert [(bar.x, bar.height) for bar in shown.bars] == [(1, HEIGHT / 10), (581, HEIGHT), (591, HEIGHT / 2)]
    assert all(bar.y + bar.height == pytest.approx(HEIGHT) for bar in shown.bars)
    assert shown.bars[0].told == "11:31: 35,000 tokens, 10 requests, 10 % of the quota"
    assert "the busiest minute was 12:29, with 200 % of the quota" in shown.hour
    assert shown.lately == "Last minute: 96 % of 350,000 tokens, 50 % of 2,100 requests."
    slow = use(quota(rate=0.5, not_before=NOW + timedelta(seconds=3)), [], NOW)
    assert "Slowed to 50 % after refusals. Everybody waits for 3 s" in slow.lately
    assert slow.hour == "Nothing was used in the last hour."


def test_a_job_of_another_service_has_no_tokens_no_price_and_no_search() -> None:
    enriched = job(name="moods", operation="sentiment", cost_usd=None)
    language = quota(deployment="language", tokens_per_minute=None, requests_per_minute=1000, requests_last_minute=250)
    minute = {"deployment": "language", "minute": NOW - timedelta(minutes=5), "tokens": 0, "requests": 500}
    spent = {"job": "moods", "today": 0.0, "month": 0.0, "ever": None, "tokens": 0, "requests": 7}
    of_none = declared(job="moods", deployment=None, model=None, dimensions=None, index_state="none")
    found = whole(snapshot=Snapshot(NOW, [enriched], [language]), minutes=[minute], spend=[spent], declared=[of_none])
    html = rendered(found)
    text = words(html)
    assert "Last minute: 25 % of 1,000 requests." in text
    assert "with 50 % of the quota" in text
    assert "moods the price is not known here 0 7" in text
    assert "There is nothing to search yet." in text
    assert len(draw([of_none], {"moods": "public.docs"}).paths) == 2


def test_what_is_shared_stands_between_those_who_share_it() -> None:
    rows = [declared(job=name, deployment=used) for name, used in (("a", "one"), ("b", "one"), ("c", "two"))]
    rows.append(declared(job="c", generation=2, standing="next", deployment="one", index_state="none"))
    drawn = draw(rows, {"a": "public.t", "b": "public.t", "c": "public.u"})
    places = {(box.name, box.x): box.y for box in drawn.boxes}
    assert places["public.t", 0] == (places["a", 255] + places["b", 255]) // 2
    assert len({(box.x, box.y) for box in drawn.boxes}) == len(drawn.boxes)
    by_column: dict[int, list[int]] = {}
    for box in drawn.boxes:
        by_column.setdefault(box.x, []).append(box.y)
    for tops in by_column.values():
        assert all(second - first >= 46 for first, second in zip(sorted(tops), sorted(tops)[1:], strict=False))
    assert len(drawn.paths) == 12
    assert max(box.y for box in drawn.boxes) < drawn.height
    assert "1536 dimensions, no index" in [box.detail for box in drawn.boxes]


def test_text_of_rows_is_text_wherever_it_is_shown() -> None:
    stopped = job(name=HOSTILE, source=HOSTILE, state="stopped", reason=HOSTILE, last_error=HOSTILE, last_error_at=NOW)
    hostile = whole(
        snapshot=Snapshot(NOW, [stopped], [quota(deployment=HOSTILE)]),
        failures=[{"job": HOSTILE, "key": {HOSTILE: HOSTILE}, "attempts": 1, "error": HOSTILE, "since": NOW}],
        spend=[{"job": HOSTILE, "today": 0.0, "month": 0.0, "ever": 0.0, "tokens": 1, "requests": 1}],
        declared=[declared(job=HOSTILE, deployment=HOSTILE, model=HOSTILE, target=HOSTILE, index_state=HOSTILE)],
    )  # fmt: skip
    hit = Hit({HOSTILE: HOSTILE}, 3, HOSTILE, HOSTILE)
    asked = Asked(HOSTILE, HOSTILE, columns=[Column("Vector", "told", [hit])], refused=HOSTILE)
    html = rendered(hostile, asked, stack=HOSTILE, trouble=HOSTILE, said=HOSTILE, form='"><b>')
    assert html.count("<script") == 1
    assert html.count("<title>") == html.count("</title>")
    assert "<img" not in html
    assert "<b>" not in html.replace("<b><bdi>", "")
    assert "1343433" not in words(html)
    assert html.count("&lt;script&gt;") > 20


def test_letters_that_nobody_sees_are_taken_out_of_a_text() -> None:
    assert plain("a\u202eb\u0000c\n\n d\u200b") == "a b c d"
    assert plain("x" * 400) == "x" * 299 + "…"
    assert key({"id": 7, "lang": "de"}) == "id 7, lang de"


def test_a_page_with_results_is_not_loaded_again_by_itself() -> None:
    found = Asked("late", "docs", columns=[Column("Vector", "nearest", [HIT])])
    assert 'http-equiv="refresh"' in rendered()
    for asked in (found, Asked(updates=False)):
        assert 'http-equiv="refresh"' not in rendered(asked=asked)
    assert 'data-refresh="0"' in rendered(asked=Asked(updates=False))
    assert "distance 0.1234" in rendered(asked=found)


def test_the_words_of_a_query_are_marked_and_nothing_else_of_a_row_is() -> None:
    hits = [
        Hit({"id": 1}, None, "score 1", "a «late» <b>«deliv", marked=True),
        Hit({"id": 2}, 4, "score 1", "«as the row has it»"),
    ]
    html = rendered(asked=Asked("late", "docs", columns=[Column("Text", "told", hits)]))
    assert "a <mark>late</mark> &lt;b&gt;«deliv" in html
    assert "«as the row has it»" in html
    assert "id 2 chunk 4" in words(html)


# Over the network


def test_the_page_comes_with_a_policy_that_lets_nothing_in(looking: Opened) -> None:
    answer = looking.get()
    assert answer.status_code == 200
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert "*" not in policy
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert "Set-Cookie" not in answer.headers
    assert looking.get("style.css").headers["Content-Type"].startswith("text/css")
    assert looking.get("refresh.js").headers["Content-Type"].startswith("text/javascript")
    live = looking.get("live").text
    assert 'id="jobs"' in live
    assert 'id="search"' not in live
    assert re.findall(r"(?:src|href)=\"([^\"#?]+)\"", answer.text) == ["data:,", "style.css", "refresh.js"]


@pytest.mark.parametrize(
    "path", ["/", "/favicon.ico", "/live", "/act", "/x/", "//", "/%2e%2e/", "/{short}/", "/{token}x/", "/{upper}/"]
)
def test_without_the_token_nothing_is_told(looking: Opened, path: str) -> None:
    token = looking.console.guard.token
    path = path.format(short=token[:-1], token=token, upper=token.swapcase())
    parts = urlsplit(looking.url)
    for method in ("GET", "POST", "OPTIONS"):
        with closing(http.client.HTTPConnection(parts.netloc, timeout=10)) as connection:
            connection.request(method, path)
            answer = connection.getresponse()
            body = answer.read().decode()
        assert answer.status == 403, (method, path)
        assert "docs" not in body
        assert token not in body
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")


@pytest.mark.parametrize(
    "hosts",
    [
        [], ["evil.example"], ["evil.example:80"], ["127.0.0.1.evil.example"], ["localhost.evil.example"], ["0.0.0.0"],
        ["127.0.0.1", "evil.example"], ["evil.example@127.0.0.1"], ["127.0.0.1:x"], ["127.0.0.1/x"], ["[::1"], [""],
    ],
    ids=str,
)  # fmt: skip
def test_a_host_that_is_not_this_machine_is_refused(looking: Opened, hosts: list[str]) -> None:
    assert not names_this_machine(hosts)
    parts = urlsplit(looking.url)
    with closing(http.client.HTTPConnection(parts.netloc, timeout=10)) as connection:
        connection.putrequest("GET", parts.path, skip_host=True)
        for host in hosts:
            connection.putheader("Host", host)
        connection.endheaders()
        answer = connection.getresponse()
        assert answer.status in (400, 403)
        assert "docs" not in answer.read().decode()


def test_a_tunnel_may_have_another_port(looking: Opened) -> None:
    for host in ("localhost:9", "127.0.0.1:1234", "LOCALHOST", "127.0.0.1"):
        assert looking.get(headers={"Host": host}).status_code == 200


def test_a_page_that_may_only_look_has_nothing_to_act_with(looking: Opened) -> None:
    assert looking.act().status_code in (404, 405)
    assert '<form method="post"' not in looking.get().text
    assert looking.console.guard.form not in looking.get().text
    assert looking.database.called == []


def test_an_action_is_done_and_told(acting: Opened) -> None:
    assert "Retry" in words(acting.get().text)
    answer = acting.act()
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"{urlsplit(acting.url).path}#jobs"
    assert acting.database.called == [("retry", "docs")]
    assert "Job docs: 3 rows of the quarantine are queued again" in words(acting.get().text)


@pytest.mark.parametrize(
    "change",
    [
        {"headers": {"Origin": None}}, {"headers": {"Origin": "null"}}, {"headers": {"Origin": "http://evil.example"}},
        {"headers": {"Origin": "https://{host}"}}, {"headers": {"Origin": "http://127.0.0.1:1"}},
        {"form": {"form": ""}}, {"form": {"form": "x" * 32}}, {"form": {"form": "ä"}},
    ],
    ids=str,
)  # fmt: skip
def test_what_does_not_come_from_the_page_itself_changes_nothing(acting: Opened, change: dict[str, Any]) -> None:
    host = urlsplit(acting.url).netloc
    headers = {name: value and value.format(host=host) for name, value in change.get("headers", {}).items()}
    assert acting.act(headers=headers, form=change.get("form", {})).status_code == 403
    assert acting.database.called == []


def test_there_are_no_other_actions(acting: Opened) -> None:
    assert acting.act(form={"action": "remove"}).status_code == 400
    assert acting.act(form={"action": "retry(1); DROP"}).status_code == 400
    assert acting.act(form={"job": "x" * 20_000}).status_code == 413
    assert acting.database.called == []


def test_a_database_that_goes_away_leaves_what_was_read_with_the_reason() -> None:
    opened = Opened()
    with serving(opened.console) as opened.url:
        assert opened.get().status_code == 200
        for trouble, told in (
            (UnreachableError("cannot connect: the server is stopped"), "the server is stopped"),
            (psycopg.OperationalError("the connection is lost\nDETAIL: secret"), "the connection is lost"),
            (psycopg.errors.UndefinedTable("quota_minutes"), "make up STACK=local"),
        ):
            opened.database.trouble = trouble
            html = opened.get().text
            assert told in words(html)
            assert "secret" not in html
            assert "610 of 1,000 rows" in html
    assert opened.database.closed


def test_a_search_is_refused_in_words(looking: Opened) -> None:
    assert "distance 0.1234" in looking.get("?q=late&job=docs").text
    assert "There is no such job" in looking.get("?q=late&job=nope").text
    assert "at most 2000 characters" in looking.get("", params={"q": "x" * 2001, "job": "docs"}).text
    assert "distance" not in looking.get("?q=%20&job=docs").text
