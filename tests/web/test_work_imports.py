"""The import of one's own work: a file, its columns, a preview, a confirmation; and the way back."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from backend.contributions.models import Contribution, Import
from backend.web.sheet_rows import guess, headings, read_work
from backend.web.sheets import read_sheet
from tests.api.documents import API_DOCS, blocks
from tests.web.test_public import text_of
from tests.workbooks import xlsx, xlsx_text

Play = Callable[..., Any]
SignIn = Callable[..., Client]
PAGE = "/en/work/import/"


def table(world: Any, *more: str) -> bytes:
    """Two rows of Bo's, one of Ana's, and what else is given."""
    day = f"{world.today:%d/%m/%Y}"
    head = "Date;Qui;Tâche;Heures;Montant\n"
    rows = [f"{day};Bo Nguyen;Relire la carte;1,5;1 250,50", f"{day};bo nguyen;=cmd|' /C calc'!A0;1h30;40",
            f"{day};Ana;Autre chose;2;10", *more]  # fmt: skip
    return (head + "\n".join(rows) + "\n").encode()


def give(browser: Client, world: Any, data: bytes, name: str = "travail.csv", page: str = PAGE) -> Any:
    """Give a file to the first step."""
    return browser.post(page, {"budget": world.budget.pk, "file": SimpleUploadedFile(name, data)})


def fields(answer: Any) -> dict[str, str]:
    """What the form of a page would send as it stands."""
    html = re.findall(r'<form method="post" action="[^"]*/work/import/".*?</form>', answer.content.decode(), re.DOTALL)[
        0
    ]
    found = dict(re.findall(r'<input type="(?:hidden|text)" name="([^"]+)"(?: value="([^"]*)")?', html))
    for name, options in re.findall(r'<select name="([^"]+)".*?>(.*?)</select>', html, re.DOTALL):
        chosen = re.findall(r'value="([^"]*)" selected', options)
        found[name] = chosen[0] if chosen else re.findall(r'value="([^"]*)"', options)[0]
    return {name: value for name, value in found.items() if name != "csrfmiddlewaretoken"}


@pytest.fixture
def at(play: Play, sign_in: SignIn) -> tuple[Any, Client]:
    """Bo, signed in."""
    world = play("make_house")
    return world, sign_in(world.users["bo"])


def test_from_the_file_to_the_work_and_back(at: tuple[Any, Client]) -> None:
    world, browser = at
    assert "No import yet." in text_of(browser.get(PAGE))
    columns = give(browser, world, table(world))
    sent = fields(columns)
    assert [sent[f"column_{place}"] for place in range(5)] == [
        "worked_on",
        "person",
        "description",
        "duration",
        "amount",
    ]
    assert (sent["unit"], sent["me"]) == ("hours", "Bo Nguyen")
    preview = browser.post(PAGE, sent)
    told = text_of(preview)
    assert preview.status_code == 200
    assert "Relire la carte" in told
    assert "=cmd|&#x27; /C calc&#x27;!A0" in preview.content.decode()
    assert "Autre chose" not in told
    assert Contribution.objects.count() == 0
    kept = browser.post(PAGE, {**fields(preview), "step": "keep"}, follow=True)
    row = Import.objects.get()
    assert kept.redirect_chain == [(f"/en/work/imports/{row.pk}/", 302)]
    assert "no money moved" in text_of(kept)
    assert sorted(Contribution.objects.values_list("minutes", "amount", "description")) == [
        (90, 40_00, "=cmd|' /C calc'!A0"), (90, 1250_50, "Relire la carte"),
    ]  # fmt: skip
    again = browser.post(PAGE, {**fields(preview), "step": "keep"})
    assert again.headers["Location"] == f"/en/work/imports/{row.pk}/"
    assert "travail.csv" in text_of(browser.get(PAGE))
    assert "You imported this very file already" in text_of(give(browser, world, table(world)))
    assert browser.get(f"/en/work/imports/{row.pk}/undo/").status_code == 200
    back = browser.post(f"/en/work/imports/{row.pk}/undo/", follow=True)
    assert "The import is undone" in text_of(back)
    assert set(Contribution.objects.values_list("state", flat=True)) == {"withdrawn"}
    assert browser.get(f"/en/work/imports/{row.pk}/undo/").status_code == 302


def test_errors_are_said_of_their_row_and_nothing_is_kept(at: tuple[Any, Client]) -> None:
    world, browser = at
    day = f"{world.today:%d/%m/%Y}"
    data = table(world, "31/02/2026;Bo Nguyen;Tard;1;", f"{day};Bo Nguyen;Long;deux;", f"{day};Bo Nguyen;Rien;;")
    sent = fields(give(browser, world, data))
    preview = browser.post(PAGE, sent)
    told = text_of(preview)
    assert preview.status_code == 422
    assert "Nothing was declared: 3 rows must be corrected" in told
    for line in (5, 6, 7):
        assert f"Row {line}:" in told
    assert browser.post(PAGE, {**sent, "step": "keep"}).status_code == 422
    assert (Contribution.objects.count(), Import.objects.count()) == (0, 0)


def test_columns_are_asked_for_until_they_suffice(at: tuple[Any, Client]) -> None:
    world, browser = at
    day = f"{world.today:%d/%m/%Y}"
    sent = fields(give(browser, world, f"A;B;C\n{day};Relire;1h30\n".encode()))
    assert "Choose the columns of the day" in text_of(browser.post(PAGE, sent))
    doubled = browser.post(PAGE, {**sent, "column_0": "worked_on", "column_1": "worked_on"})
    assert (doubled.status_code, "Another column is this already." in text_of(doubled)) == (422, True)
    right = {**sent, "column_0": "worked_on", "column_1": "description", "column_2": "duration"}
    assert "Relire" in text_of(browser.post(PAGE, right))
    changing = browser.post(PAGE, {**right, "step": "change"})
    assert (changing.status_code, fields(changing)["column_2"]) == (200, "duration")


def test_nobody_s_row_is_one_s_own_by_chance(at: tuple[Any, Client]) -> None:
    world, browser = at
    sent = fields(give(browser, world, table(world)))
    answer = browser.post(PAGE, {**sent, "me": "Nobody"})
    assert (answer.status_code, "No row is yours" in text_of(answer)) == (422, True)


@pytest.mark.parametrize(
    ("data", "name", "sentence"),
    [
        (b"", "a.csv", "This file is empty"), (b"\0\1\2" * 50, "a.ods", "This file cannot be read"),
        (b"x" * 1_200_000, "a.csv", "larger than 1 MB"), (b"PK\3\4no archive", "a.xlsx", "This file cannot be read"),
        (xlsx(f'<row r="1">{xlsx_text("A1", "x")}</row><row r="1048576">{xlsx_text("XFD1048576", "x")}</row>'),
         "far.xlsx", "This file holds too much"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused_beside_its_field(at: tuple[Any, Client], data: bytes, name: str, sentence: str) -> None:
    world, browser = at
    answer = give(browser, world, data, name)
    assert (answer.status_code, sentence in text_of(answer)) == (422, True)
    assert Import.objects.count() == 0


def test_a_preview_that_expired_asks_for_the_file_again(at: tuple[Any, Client]) -> None:
    world, browser = at
    sent = fields(give(browser, world, table(world)))
    cache.clear()
    answer = browser.post(PAGE, {**sent, "step": "keep"})
    assert (answer.status_code, "The preview has expired" in text_of(answer)) == (422, True)
    assert Contribution.objects.count() == 0


def test_what_is_declared_already_is_left_out(at: tuple[Any, Client]) -> None:
    world, browser = at
    first = table(world)
    browser.post(PAGE, {**fields(browser.post(PAGE, fields(give(browser, world, first)))), "step": "keep"})
    more = table(world, f"{world.today:%d/%m/%Y};Bo Nguyen;Neuf;1;5")
    preview = browser.post(PAGE, fields(give(browser, world, more)))
    assert "Neuf" in text_of(preview)
    assert "Relire la carte" not in text_of(preview)
    browser.post(PAGE, {**fields(preview), "step": "keep"})
    assert sorted(Import.objects.values_list("rows", flat=True)) == [1, 2]
    nothing = browser.post(PAGE, fields(give(browser, world, more + b"\n")))
    assert "declared already" in text_of(nothing)


def test_another_one_s_import_is_not_there(at: tuple[Any, Client], sign_in: SignIn) -> None:
    world, browser = at
    browser.post(PAGE, {**fields(browser.post(PAGE, fields(give(browser, world, table(world))))), "step": "keep"})
    row = Import.objects.get()
    for who in ("camille", "sacha"):
        other = sign_in(world.users[who])
        assert other.get(f"/en/work/imports/{row.pk}/").status_code == 404
        assert other.post(f"/en/work/imports/{row.pk}/undo/").status_code == 404
    assert set(Contribution.objects.values_list("state", flat=True)) == {"declared"}


def test_the_guide_s_table_gives_what_the_guide_says(at: tuple[Any, Client]) -> None:
    _world, browser = at
    tables = []
    for language in ("en", "fr"):
        text = (API_DOCS / "guides" / f"from-spreadsheet.{language}.md").read_text(encoding="utf-8")
        data = next(content for kind, content in blocks(text) if kind == "csv")
        told = re.findall(r"^\| (\d+) \| ([\d-]+) \| (.+?) \| (\d+) min \| ([\d.]+) \|$", text, re.MULTILINE)
        tables.append((data, told))
    assert tables[0] == tables[1]
    data, told = tables[0]
    heads, rows = headings(read_sheet(data.encode()))
    work = read_work(rows, guess(heads, rows, kind="development", me="Bo Nguyen"), currency="EUR")
    assert [
        (str(line), str(one["worked_on"]), one["description"], str(one["minutes"]), f"{one['amount'] / 100:.2f}")
        for line, one in zip(work.lines, work.items, strict=True)
    ] == told
    assert (work.of_others, work.errors) == ([4], {})
    assert "/en/docs/guides/from-spreadsheet/" in browser.get(PAGE).content.decode()
    assert browser.get("/fr/docs/guides/from-spreadsheet/").status_code == 200


def test_in_french(at: tuple[Any, Client]) -> None:
    world, browser = at
    page = "/fr/work/import/"
    preview = browser.post(page, fields(give(browser, world, table(world), page=page)))
    assert "Relire la carte" in text_of(preview)
    assert "1 250,50" in text_of(preview).replace("\xa0", " ").replace("\u202f", " ")
