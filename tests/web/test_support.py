"""The page of what supporters promise, its file, and the picture for other sites."""

import csv
import io
import re
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from xml.etree import ElementTree

from django.test import Client
from django.utils import timezone

from backend.pledges.overview import Expected
from backend.pledges.services import Terms, make_pledges
from backend.web.support import LABEL, LETTER, ROW, WIDE, bars
from tests.rights.world import enter

Play = Callable[..., Any]


def promised(play: Play, name: str = "La Fabrique du Port") -> Any:
    """A monthly promise of ten euros and one of a hundred paid once."""
    world = play("make_promise", timezone.now() - timedelta(days=1))
    type(world.organisation).objects.filter(pk=world.organisation.pk).update(name=name)
    make_pledges(
        actor=world.users["ana"], parts=[(world.budget, 10_00)], currency="EUR", organisation=world.organisation,
        terms=Terms(rhythm="monthly"), form_key="m", now=world.now,
    )  # fmt: skip
    return world


def test_a_steward_reads_what_is_promised_and_by_whom(play: Play) -> None:
    world = promised(play)
    page = enter(world.users["sacha"]).get("/en/commons/cartolibre/support/").content.decode()
    assert "€120.00" in page
    assert page.count("<tr>") > 24
    assert "La Fabrique du Port" in page.split("Who came, who left, who changed")[1]
    assert (
        "/en/commons/cartolibre/support/" in enter(world.users["sacha"]).get("/en/commons/cartolibre/").content.decode()
    )
    assert "/support/" not in Client().get("/en/commons/cartolibre/").content.decode()


def test_it_is_not_for_others(play: Play) -> None:
    world = promised(play)
    for key, status in (("bo", 404), ("ana", 404), ("claire", 200)):
        assert enter(world.users[key]).get("/en/commons/cartolibre/support/").status_code == status
        assert enter(world.users[key]).get("/en/commons/cartolibre/support.csv").status_code == status


def test_the_file_says_the_same_and_a_spreadsheet_runs_nothing_of_it(play: Play) -> None:
    world = promised(play, name='=HYPERLINK("http://x.example";"paid")')
    answer = enter(world.users["sacha"]).get("/en/commons/cartolibre/support.csv")
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))
    new = [row for row in rows if row["what"] == "new"]
    assert [(row["after"], row["name"][:2]) for row in new] == [("120.00", "'=")]
    months = [row for row in rows if row["what"] == "promised_a_year"]
    assert len(months) == 12
    for row in months:
        cents = {name: round(float(row[name]) * 100) for name in ("before", "new", "lost", "changed", "after")}
        assert cents["before"] + cents["new"] - cents["lost"] + cents["changed"] == cents["after"]
    ahead = [row for row in rows if row["what"] == "expected"]
    assert len(ahead) == 12
    assert not any(cell.startswith(("=", "+", "@", "\t")) for row in rows for cell in row.values())


def test_no_label_of_the_drawing_meets_another_or_a_bar() -> None:
    for largest in (1, 999_999_99, 10**12):
        ahead = [Expected(date(2026, month, 1), largest // month, largest // (month + 1)) for month in range(1, 13)]
        drawn, height = bars(ahead, "EUR")
        assert height == 12 * ROW
        assert [bar.y for bar in drawn] == [row * ROW for row in range(12)]
        longest = max(len(bar.amount) for bar in drawn)
        assert all(LABEL + bar.called + bar.to_come + LETTER * longest <= WIDE for bar in drawn)
        assert all(LETTER * len(bar.label) < LABEL for bar in drawn)


def test_the_picture_is_small_cacheable_and_shown_anywhere(play: Play, client: Client) -> None:
    play("receive")
    answer = client.get("/en/commons/cartolibre/badge.svg")
    assert answer.headers["Content-Type"] == "image/svg+xml; charset=utf-8"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert answer.headers["Cache-Control"] == "public, max-age=300"
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "Set-Cookie" not in answer.headers
    body = answer.content.decode()
    assert "Cartolibre" in body
    assert "€95.00 received" in body
    assert "1 supporter<" in body
    assert "Fabrique" not in body
    assert len(answer.content) < 2_000
    ElementTree.fromstring(body)  # noqa: S314  our own drawing
    assert "95,00" in client.get("/fr/commons/cartolibre/badge.svg").content.decode()


def test_the_snippet_is_a_link_and_a_picture_without_any_script(play: Play, client: Client) -> None:
    world = play("make_house")
    type(world.commons).objects.filter(pk=world.commons.pk).update(name='Carto "libre" <b>')
    page = client.get("/en/commons/cartolibre/embed/").content.decode()
    codes = re.findall(r"<code>(.*?)</code>", page, re.S)
    assert len(codes) == 2
    assert "&lt;a href=&quot;http" in codes[0]
    assert "/fr/commons/cartolibre/badge.svg" in codes[0]
    assert "/en/commons/cartolibre/badge.svg" in codes[1]
    assert "&amp;quot;libre&amp;quot; &amp;lt;b&amp;gt;" in codes[0]
    assert "<b>" not in page
    assert "script" not in "".join(codes)


def test_a_commons_that_is_not_public_has_neither(play: Play, client: Client) -> None:
    world = play("make_house")
    type(world.commons).objects.filter(pk=world.commons.pk).update(
        state="hidden", reason="r", appeal_to="a@example.org", decided_by=world.users["claire"], decided_at=world.now
    )
    for path in ("embed/", "badge.svg", "give/"):
        assert client.get(f"/en/commons/cartolibre/{path}").status_code == 404
