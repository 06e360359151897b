"""The page of HelloAsso: a file, a preview with what each campaign is for, a confirmation; and the way back."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from backend.ledger.services import entry_count
from backend.payments.models import HelloAssoImport, HelloAssoLine, Payment
from tests.payments.money import a_pledge
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
PAGE = "/en/helloasso/"
HEADS = "Référence du paiement;Campagne;Type;Montant total;Date du paiement;Nom payeur;Prénom payeur;Email payeur\r\n"


def table(world: Any, *rows: str) -> bytes:
    """An export in Windows-1252."""
    day = f"{world.today:%d/%m/%Y}"
    return (HEADS + "".join(f"{row.replace('DAY', day)}\r\n" for row in rows)).encode("cp1252")


def give(browser: Client, data: bytes) -> Any:
    """Give a file to the first step."""
    return browser.post(PAGE, {"file": SimpleUploadedFile("paiements été.csv", data)})


def fields(answer: Any) -> dict[str, str]:
    """What the form of the preview would send as it stands."""
    html = answer.content.decode()
    found = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', html))
    for name, options in re.findall(r'<select name="([^"]+)".*?>(.*?)</select>', html, re.DOTALL):
        chosen = re.findall(r'value="([^"]*)" selected', options)
        found[name] = chosen[0] if chosen else ""
    return {name: value for name, value in found.items() if name != "csrfmiddlewaretoken"}


@pytest.fixture
def at(play: Play, sign_in: SignIn) -> tuple[Any, Client]:
    """Claire, signed in."""
    world = play("make_house")
    return world, sign_in(world.users["claire"])


def test_from_the_file_to_the_books_and_back(at: tuple[Any, Client]) -> None:
    world, browser = at
    pledge = a_pledge(world, 80_00, "k")
    assert "No import yet." in text_of(browser.get(PAGE))
    data = table(
        world, "1;Été;Don;100,00;DAY;Durand;Zoé;zoe@example.org", "2;;Adhésion;20;DAY;Petit;Al;",
        f"3;;Don;80,00;DAY;{pledge.payer_name};;",
    )  # fmt: skip
    answer = give(browser, data)
    shown = text_of(answer)
    assert "Pays pledges (1) €80.00" in shown
    assert "Gifts to budgets (1) €100.00" in shown
    assert "Left out (1) €20.00" in shown
    assert "known by the same name and amount" in shown
    sent = fields(answer)
    refused = browser.post(PAGE, {**sent, "step": "keep"})
    assert (refused.status_code, entry_count()) == (422, 0)
    assert "Say which budget this campaign is for." in text_of(refused)
    kept = browser.post(PAGE, {**sent, "campaign_0": world.budget.pk, "step": "keep"})
    made = HelloAssoImport.objects.get()
    assert kept.headers["Location"] == f"{PAGE}{made.pk}/"
    again = browser.post(PAGE, {**sent, "campaign_0": world.budget.pk, "step": "keep"})
    assert (again.headers["Location"], HelloAssoLine.objects.count()) == (f"{PAGE}{made.pk}/", 3)
    page = text_of(browser.get(kept.headers["Location"]))
    assert "Zoé Durand" in page
    assert "Held by HelloAsso, or on its way to the bank €180.00" in text_of(browser.get(PAGE))
    undo = f"{PAGE}{made.pk}/undo/"
    assert "€200.00" in text_of(browser.get(undo))
    assert browser.post(undo, {"reason": ""}).status_code == 422
    done = browser.post(undo, {"reason": "wrong file"}, follow=True)
    assert "Nothing left HelloAsso nor the bank" in text_of(done)
    assert set(Payment.objects.values_list("state", flat=True)) == {"undone"}


def test_a_payment_that_looks_like_a_pledge_may_be_a_gift(at: tuple[Any, Client]) -> None:
    world, browser = at
    pledge = a_pledge(world, 80_00, "k")
    answer = give(browser, table(world, f"3;;Don;80,00;DAY;{pledge.payer_name};;"))
    sent = {**fields(answer), "pledge_2": "gift"}
    shown = browser.post(PAGE, {**sent, "step": "keep"})
    assert "Payments without a campaign" in text_of(shown)
    browser.post(PAGE, {**sent, "campaign_0": world.budget.pk, "step": "keep"})
    pledge.refresh_from_db()
    assert (pledge.received, Payment.objects.get().pledge.payer_name) == (0, pledge.payer_name)


def test_wrong_lines_are_named_and_nothing_can_be_kept(at: tuple[Any, Client]) -> None:
    world, browser = at
    answer = give(browser, table(world, "1;;Don;1.234;DAY;A;B;", "2;;Don;5;31/02/2026;A;B;"))
    shown = text_of(answer)
    assert answer.status_code == 422
    assert "Line 2: “1.234” is not an amount in euros." in shown
    assert "Line 3: “31/02/2026” is not a day." in shown
    assert 'value="keep"' not in answer.content.decode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"a;b;c\n1;2;3\n", "lacks « Référence du paiement », « Montant total », « Date du paiement »"),
        (b"\x00\x01\x02", "not a table that can be read"),
        (b"", "This file is empty"),
        (b"x" * (4 * 1024 * 1024 + 1), "larger than 4 MB"),
    ],
)
def test_a_file_of_another_kind_is_refused_beside_its_field(at: tuple[Any, Client], data: bytes, said: str) -> None:
    _world, browser = at
    answer = give(browser, data)
    assert answer.status_code == 422
    assert said in text_of(answer)


def test_a_preview_expires(at: tuple[Any, Client]) -> None:
    world, browser = at
    sent = fields(give(browser, table(world, "1;;Don;5;DAY;A;B;")))
    cache.clear()
    assert "The preview has expired" in text_of(browser.post(PAGE, {**sent, "step": "keep"}))


def test_what_was_shared_since_keeps_an_import(at: tuple[Any, Client]) -> None:
    world, browser = at
    sent = fields(give(browser, table(world, "1;;Don;100;DAY;A;B;")))
    browser.post(PAGE, {**sent, "campaign_0": world.budget.pk, "step": "keep"})
    made = HelloAssoImport.objects.get()
    Payment.objects.update(taken_back=1_00)
    assert "it was given back since" in text_of(browser.get(f"{PAGE}{made.pk}/undo/"))
    answer = browser.post(f"{PAGE}{made.pk}/undo/", {"reason": "x"})
    assert answer.status_code == 409
