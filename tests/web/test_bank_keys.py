"""A treasurer reconciles a hundred lines in a real browser: ninety in two actions, the others in three keys each."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from backend.banking.models import BankLine
from backend.identity.models import User
from backend.identity.services import create_organisation
from backend.payments.models import Payment
from backend.pledges.services import make_pledge
from tests.banking.test_inbox import bring
from tests.conftest import Processes
from tests.payments.money import sound
from tests.web.test_passkeys import CHROMIUM, in_tables

INBOX = "/en/bank/inbox/"
LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


class Keys:
    """The browser of a treasurer: every key and click is counted."""

    def __init__(self, page: Any, address: str) -> None:
        """Begin at nought."""
        self.page, self.address, self.count = page, address, 0

    def at(self, path: str) -> None:
        """Wait to be on a page."""
        self.page.wait_for_url(
            lambda url: urlsplit(url).path == path, timeout=120_000
        )  # ninety bookings on a busy machine
        self.page.wait_for_load_state("load")

    def key(self, name: str) -> None:
        """Press a key."""
        self.count += 1
        self.page.keyboard.press(name)

    def since(self) -> int:
        """How many actions since it was last asked."""
        found, self.count = self.count, 0
        return found


def a_hundred(world: Any) -> None:
    """Ninety lines that are exact, ten that are not: eight likely, a charge, one told twice."""
    ana, rows = world.users["ana"], []
    for number in range(98):
        name = f"Maison {LETTERS[number // 10] * 5}{LETTERS[number % 10] * 5}"
        organisation = create_organisation(name=name, kind="association", manager=ana, now=world.now)
        amount = 10_00 + number
        make_pledge(
            actor=ana, budget=world.budget, organisation=organisation, amount=amount, currency="EUR",
            form_key=f"keys-{number}", now=world.now,
        )  # fmt: skip
        less = 0 if number < 90 else 1_00  # a bank kept a fee
        rows.append((amount - less, name.upper(), "don"))
    bring(world, *rows, (-3_20, "BANQUE", "FRAIS"), (8_88, "PASSANTE", "x"))


@pytest.fixture
def browser(processes: Processes) -> Iterator[Keys]:
    """A browser before the real web server."""
    from playwright.sync_api import sync_playwright

    address = processes.web(workers=1)
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield Keys(chromium.new_context().new_page(), address)
        chromium.close()


@pytest.mark.browser
@pytest.mark.timeout(600)
def test_a_hundred_lines_by_few_keys(play: Any, committed: str, browser: Keys, sign_in: Any) -> None:
    def begin() -> tuple[Any, str]:
        world = play("make_promise")
        a_hundred(world)
        claire = world.users["claire"]
        User.objects.filter(pk=claire.pk).update(language="en")
        return world, sign_in(claire).cookies["tronc_session"].value

    world, session = in_tables(begin)
    host = urlsplit(browser.address).hostname
    browser.page.context.add_cookies([{"name": "tronc_session", "value": session, "domain": host, "path": "/"}])
    browser.page.goto(f"{browser.address}{INBOX}")
    assert "100 lines" in browser.page.inner_text("caption")

    browser.key("x")
    browser.at(f"{INBOX}exact/")
    assert "Book 90 lines" in browser.page.inner_text("main")
    browser.page.locator("button:focus").wait_for()
    browser.key("Enter")  # on the button that has the focus
    browser.at(INBOX)
    assert browser.since() <= 2
    assert in_tables(lambda: BankLine.objects.filter(state="matched").count()) == 90

    for left in range(10, 2, -1):  # a part of what is awaited: likely
        assert f"{left} line" in browser.page.inner_text("caption")
        browser.key("a")
        browser.key("Enter")
        browser.page.locator("caption", has_text=f"{left - 1} line").wait_for(timeout=120_000)
        browser.page.wait_for_load_state("load")
        assert browser.since() <= 3
    line = in_tables(lambda: BankLine.objects.filter(state="suggested").earliest("booked_on", "pk"))
    assert line.amount == -3_20
    browser.key("b")
    browser.at(f"/en/bank/lines/{line.pk}/book/")
    browser.page.locator("input:focus").wait_for()  # given by the page, once it is drawn
    browser.key("Space")  # bank charges come first for what left
    browser.key("Enter")
    browser.at(INBOX)
    assert browser.since() <= 3
    line = in_tables(lambda: BankLine.objects.get(state="suggested"))
    browser.key("b")
    browser.at(f"/en/bank/lines/{line.pk}/book/")
    browser.page.locator("input:focus").wait_for()  # given by the page, once it is drawn
    browser.key("Space")  # interest comes first for what came
    browser.key("Enter")
    browser.at(INBOX)
    assert browser.since() <= 3

    def after() -> tuple[int, int, set[str], bool]:
        booked = set(BankLine.objects.filter(state="booked").values_list("matched_to", flat=True))
        return BankLine.objects.filter(state="suggested").count(), Payment.objects.count(), booked, sound(world)

    assert in_tables(after) == (0, 98, {"627", "768"}, True)
    browser.key("u")  # what was said last
    browser.at(f"/en/bank/lines/{line.pk}/undo/")
    browser.page.locator("button:focus").wait_for()
    browser.key("Enter")
    browser.at(INBOX)
    assert browser.since() <= 3
    assert in_tables(lambda: BankLine.objects.get(state="suggested").pk) == line.pk
