"""The public pages: figures to the cent, names as people chose them, light, safe, in both languages."""

import gzip
import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.db import connection
from django.http import HttpRequest
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backend.contributions.services import declare, review
from backend.core.errors import Conflict
from backend.identity.models import Host
from backend.operations import demo
from backend.operations.figures import Figures, five_figures
from backend.pledges.references import printed
from backend.web import public
from backend.web.figures import BAR_WIDTH, SLIVER, bar

WEB = Path(public.__file__).parent
Play = Callable[..., Any]


def text_of(answer: Any) -> str:
    """What a reader sees of a page: no tags, one space between words, ordinary spaces in amounts."""
    inside = re.sub(r"</?(?:strong|span)[^>]*>", "", answer.content.decode())
    inside = re.sub(r"<[^>]+>", " ", inside)
    return re.sub(r"\s+", " ", html.unescape(inside).replace("\u00a0", " ").replace("\u202f", " "))


@pytest.fixture
def in_use(db: None) -> None:
    """An instance that has its host: before that, pages say that it is being set up (tests/web/test_setup.py)."""
    Host.objects.create(id="hst_of_pages", name="Les Communs", siren="123456782", fee_bp=500)


@pytest.mark.parametrize(
    ("step", "figures"),
    [  # expected, received, committed, paid, available
        ("make_house", (0, 0, 0, 0, 0)),
        ("make_promise", (100_00, 0, 0, 0, 0)),
        ("receive", (0, 95_00, 0, 0, 95_00)),
        ("work", (0, 95_00, 100_00, 0, -5_00)),
        ("close", (0, 95_00, 100_00, 0, -5_00)),
        ("approve_distribution", (0, 95_00, 0, 95_00, 0)),
        ("settle", (0, 95_00, 0, 95_00, 0)),
    ],
)
def test_the_five_figures_follow_the_hundred_euros(play: Play, step: str, figures: tuple[int, ...]) -> None:
    assert five_figures(play(step).budget) == Figures("EUR", *figures)


@pytest.mark.parametrize(
    ("paid", "committed", "available", "widths"),
    [
        (0, 0, 0, {}),
        (95_00, 0, 0, {"paid": 1000}),
        (0, 100_00, -5_00, {"committed": 950, "missing": 50}),
        (0, 100_00, -100_00, {"missing": 1000}),
        (50_00, 25_00, 25_00, {"paid": 500, "committed": 250, "available": 250}),
        (1, 1, 10**12, {"paid": SLIVER, "committed": SLIVER, "available": BAR_WIDTH - 2 * SLIVER}),
        (1, 1, 1, {"paid": 334, "committed": 333, "available": 333}),
    ],
)
def test_the_bar_is_always_full_and_shows_what_is_not_zero(
    paid: int, committed: int, available: int, widths: dict[str, int]
) -> None:
    segments = bar(Figures("EUR", 0, paid + committed + available, committed, paid, available))
    assert {segment.name: segment.width for segment in segments} == widths
    assert [segment.x for segment in segments] == [
        sum(before.width for before in segments[:index]) for index in range(len(segments))
    ]


def test_the_home_page_lists_the_commons_with_its_figures(play: Play, client: Client) -> None:
    play("work")
    answer = client.get("/en/")
    assert answer.status_code == 200
    text = text_of(answer)
    assert "Cartolibre L’atlas libre des tiers-lieux. €0.00 €95.00 €100.00 €0.00 -€5.00" in text
    assert "Trusted third party: Association des Communs, SIREN 123 456 782" in text


def test_an_instance_without_a_commons_still_says_what_it_is(in_use: None, client: Client) -> None:
    answer = client.get("/en/")
    assert answer.status_code == 200
    assert "No commons is open yet." in text_of(answer)


def test_the_number_of_queries_does_not_grow_with_the_commons(play: Play, client: Client) -> None:
    from backend.commons.services import create_commons

    world = play("receive")

    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert client.get("/en/").status_code == 200
        return len(captured)

    before = queries()
    for number in range(5):
        create_commons(
            name=f"Outil {number}", summary="Un autre.", currency="EUR", steward=world.users["sacha"],
            first_day=world.period.starts_on, end_before=world.period.ends_before, now=world.now,
        )  # fmt: skip
    assert queries() == before
    assert before <= 10


def test_a_shortage_is_announced_with_its_amount(play: Play, client: Client) -> None:
    play("work")
    text = text_of(client.get("/en/commons/cartolibre/"))
    assert "€5.00 are missing to pay all the validated requests." in text
    assert "€95.00 received, €0.00 paid, €100.00 committed: €5.00 missing." in text
    assert "missing to pay what is committed €5.00" in text
    assert "Nothing was shared yet." in text


def test_an_empty_pot_says_what_will_come(play: Play, client: Client) -> None:
    play("make_house")
    text = text_of(client.get("/en/commons/cartolibre/"))
    for sentence in ("Nothing was received yet.", "Nothing was shared yet.", "Nobody yet."):
        assert sentence in text
    assert b'class="chart"' not in client.get("/en/commons/cartolibre/").content


def test_the_page_of_a_commons_tells_the_whole_story(play: Play, client: Client) -> None:
    world = play("settle")
    answer = client.get("/en/commons/cartolibre/")
    text = text_of(answer)
    # money in
    assert "Paid by supporters €100.00" in text
    assert "The host’s fee, taken on receipt €5.00" in text
    assert "Received by the pot €95.00" in text
    assert re.search(r"La Fabrique du Port \d+ \w+ \d{4} €100.00 €5.00 €95.00", text)
    # money out
    camille = f"Contributor {world.users['camille'].pk[-4:]}"
    assert "Recherche par besoin : filtres et export Bo paid 3 h €57.00" in text
    assert f"Guide de prise en main, première version {camille} paid 2 h €38.00" in text
    assert "Total 5 h €95.00" in text
    assert "Of €95.00 received: €95.00 paid, €0.00 committed, €0.00 available." in text
    assert "La Fabrique du Port: €100.00 pledged, €100.00 received" in text


def test_between_approval_and_payment_the_work_is_owed(play: Play, client: Client) -> None:
    play("approve_distribution")
    assert "Recherche par besoin : filtres et export Bo owed, not paid yet 3 h €57.00" in text_of(
        client.get("/en/commons/cartolibre/")
    )


def test_no_private_fact_is_public(play: Play, client: Client) -> None:
    world = play("settle")
    page = client.get("/en/commons/cartolibre/").content.decode() + client.get("/en/").content.decode()
    reference = world.pledge.reference
    names = ("Camille", "Nguyen", "Ana Ruiz", "Claire", "Sacha", "example.org", "FR76", "DE89", "INCONNU")
    for private in (*names, reference, printed(reference)):
        assert private not in page, private


def test_a_volunteer_is_shown_as_one(play: Play, client: Client) -> None:
    world = play("work")
    row = declare(
        actor=world.users["bo"], budget=world.budget, worked_on=world.today, kind="support", minutes=45, amount=0,
        description="Accueil sur le forum", form_key="volunteer", now=world.now,
    )  # fmt: skip
    review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now)
    for act in (demo.close, demo.approve_distribution, demo.pay, demo.settle):
        act(world)
    text = text_of(client.get("/en/commons/cartolibre/"))
    assert "Accueil sur le forum Bo volunteer 45 min €0.00" in text
    assert "Total 5 h 45 €95.00" in text


def test_what_is_typed_is_never_markup(play: Play, client: Client) -> None:
    from backend.commons.models import Commons
    from backend.contributions.models import Contribution

    play("settle")
    Commons.objects.update(summary="<b>gras</b>", website="javascript:alert(1)")
    Contribution.objects.update(description="<script>alert(1)</script>")
    page = client.get("/en/commons/cartolibre/").content.decode()
    assert "<script" not in page
    assert "<b>" not in page
    assert "javascript:" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize("path", ["", "commons/cartolibre/"])
def test_public_pages_are_light_and_need_nothing_else(play: Play, client: Client, path: str) -> None:
    play("settle")
    answer = client.get(f"/fr/{path}")
    page = answer.content.decode()
    assert len(answer.content) <= 50_000
    assert answer.headers["Content-Language"] == "fr"
    assert '<html lang="fr">' in page
    assert page.count("<h1") == 1
    assert "<script" not in page
    assert " style=" not in page
    assert set(re.findall(r'(?:src|<link[^>]+stylesheet"\s+href)="([^"]+)"', page)) == {"/static/tronc.css"}
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy


def test_no_template_holds_inline_style_or_script() -> None:
    # The places with a script: passkeys need one, the shortcuts of review and of the bank can be switched off.
    scripted = {
        WEB / "templates" / "bank" / "shortcuts.html",
        WEB / "templates" / "mfa" / "webauthn" / "script.html",
        WEB / "templates" / "reviews" / "shortcuts.html",
    }
    for template in WEB.rglob("*.html"):
        source = template.read_text(encoding="utf-8")
        if template in scripted:
            # Files of this service and data alone: nothing in the page is run.
            source = re.sub(r'<script src="{% static [^%]+%}" defer></script>', "", source)
            source = re.sub(r'<script data-allauth-onload="[^"]+" type="application/json">', "", source)
        assert not re.search(r"<script|<style|\sstyle=|\son[a-z]+=\"|javascript:", source), template


def test_the_style_sheet_is_small_and_fetches_nothing() -> None:
    sheet = (WEB / "static" / "tronc.css").read_bytes()
    assert len(gzip.compress(sheet)) <= 15_000
    assert b"url(" not in sheet
    assert b"@import" not in sheet


def test_the_language_switch_keeps_the_page(play: Play, client: Client) -> None:
    play("make_house")
    page = client.get("/en/commons/cartolibre/?page=2").content.decode()
    assert '<a href="/fr/commons/cartolibre/?page=2" lang="fr" hreflang="fr">Français</a>' in page
    page = client.get("/fr/commons/cartolibre/").content.decode()
    assert '<a href="/en/commons/cartolibre/" lang="en" hreflang="en">English</a>' in page


@pytest.mark.parametrize(("asked", "given"), [("fr", "/fr/"), ("en-GB,en;q=0.9", "/en/"), ("de", "/fr/")])
def test_the_bare_address_leads_to_the_reader_s_language(db: None, client: Client, asked: str, given: str) -> None:
    answer = client.get("/", headers={"accept-language": asked})
    assert (answer.status_code, answer.headers["Location"]) == (302, given)


@pytest.mark.parametrize("path", ["/en/nothing/", "/en/commons/unknown/", "/en/commons/%00/", "/fr/nothing/"])
def test_what_does_not_exist_is_a_404_in_the_frame(in_use: None, client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert b'<header class="bar">' in answer.content
    assert b"Traceback" not in answer.content


def test_a_failure_shows_no_trace(in_use: None, client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_arguments: object) -> None:
        raise RuntimeError("a secret of the house")

    monkeypatch.setattr(public, "figures_of", fail)
    client.raise_request_exception = False
    answer = client.get("/en/")
    assert answer.status_code == 500
    assert "Something failed on our side" in text_of(answer)
    assert b"secret" not in answer.content


def test_a_refusal_of_the_domain_is_a_page_with_its_status(
    in_use: None, client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_arguments: object) -> None:
        raise Conflict("planted", "Claire approved it at noon.")

    monkeypatch.setattr(public, "figures_of", refuse)
    answer = client.get("/en/")
    assert answer.status_code == 409
    assert "Not possible now Claire approved it at noon. Nothing was changed and no money moved." in text_of(answer)


def test_a_form_without_its_token_is_refused_in_the_frame(in_use: None, play: Play) -> None:
    play("make_people")
    answer = Client(enforce_csrf_checks=True).post("/en/accounts/login/", {"login": "ana@example.org", "password": "x"})
    assert answer.status_code == 403
    assert "This form has expired" in text_of(answer)


def test_days_are_those_of_the_host(play: Play, client: Client) -> None:
    from datetime import UTC, datetime

    from backend.web.templatetags.tronc import day

    play("make_house")
    seen: list[str] = []

    def look(request: HttpRequest, **_parts: str) -> None:
        seen.append(day(datetime(2026, 11, 30, 23, 30, tzinfo=UTC)))
        raise Conflict("stop", "stop")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(public, "figures_of", look)
        client.get("/fr/")
    assert seen == ["1er\u00a0décembre\u00a02026"]
