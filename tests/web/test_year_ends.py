"""The end of a year on its pages: its figures and where they come from, the proposal, the decision, the undoing."""

import csv
import io
from collections import defaultdict
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

from django.test import Client

from backend.ledger.services import entry_count
from backend.transfers.models import YearEnd
from backend.transfers.year_end import FIGURES, dedicated_funds
from tests.transfers.test_year_end import decide, move, propose, two_years
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
HERE = "/en/books/years/2024/dedicated/"


def test_two_treasurers_write_the_end_of_a_year(play: Play, sign_in: SignIn) -> None:
    world = two_years(play)
    claire, denis = sign_in(world.users["claire"]), sign_in(world.users["denis"])
    year = claire.get("/en/books/years/2024/")
    assert HERE in year.content.decode()
    assert "Dedicated funds not written" in text_of(year)
    page = text_of(claire.get(HERE))
    assert "Cartolibre €0.00 €1,000.00 €400.00 €0.00 €600.00 €600.00" in page
    count = entry_count()
    answer = claire.post(HERE)
    found = YearEnd.objects.get()
    assert answer.headers["Location"] == f"/en/books/year-ends/{found.pk}/"
    one = answer.headers["Location"]
    assert "Take back this proposal" in text_of(claire.get(one))
    assert claire.post(one, {"act": "accept", "digest": found.digest}).status_code == 403
    wrong = denis.post(one, {"act": "refuse", "reason": ""})
    assert wrong.status_code == 422
    assert "Say why, in one sentence." in wrong.content.decode()
    assert (entry_count(), denis.post(one, {"act": "accept", "digest": "x"}).status_code) == (count, 409)
    assert denis.post(one, {"act": "accept", "digest": found.digest}).status_code == 302
    assert entry_count() == count + 1
    booked = text_of(denis.get(one))
    assert "Undo it" in booked
    assert "other figures" not in booked
    assert "Set aside before" in booked
    assert "booked" in text_of(claire.get("/en/books/years/2024/"))
    again = claire.post(HERE)
    assert again.status_code == 409
    assert "nothing was written a second time" in text_of(again)
    assert denis.post(one, {"act": "undo", "reason": "late"}).status_code == 302
    assert entry_count() == count + 2
    assert "undone" in text_of(denis.get(one))


def test_the_file_says_where_each_figure_comes_from(play: Play, sign_in: SignIn) -> None:
    world = two_years(play)
    decide(world, propose(world))
    for year in (2024, 2025):
        answer = sign_in(world.users["claire"]).get(f"/en/books/years/{year}/dedicated/?format=csv")
        sums: dict[str, Decimal] = defaultdict(Decimal)
        rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
        for row in rows:
            sums[row["figure"]] += Decimal(row["amount"])
        (told,) = dedicated_funds(year)
        assert {name: sums[name] * 100 for name in FIGURES} == {name: getattr(told, name) for name in FIGURES}
        assert ("received", "7541", "payment.received") in {
            (row["figure"], row["account"], row["kind_of_entry"]) for row in rows
        }


def test_figures_that_changed_are_told(play: Play, sign_in: SignIn) -> None:
    world = two_years(play)
    found = decide(world, propose(world))
    move(world, 5_00, date(2024, 12, 30))
    browser = sign_in(world.users["denis"])
    assert "undo these, then propose anew" in text_of(browser.get(f"/en/books/year-ends/{found.pk}/"))
    assert browser.get("/en/books/years/2024/other/").status_code == 404
    assert "Volunteering of 2024 in the books" in text_of(browser.get("/en/books/years/2024/volunteering/"))
    assert sign_in(world.users["ana"]).get(HERE).status_code == 403
