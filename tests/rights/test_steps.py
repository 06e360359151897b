"""What a role alone does not open: without a second factor, with an old one, taken back, from another site."""

from collections.abc import Callable
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from backend.identity.models import Role, User
from backend.identity.services import grant_role
from tests.rights.matrix import Cell, Row, address_of, ask, table, wrong
from tests.rights.world import STRONG, House, OwnOfEach, enter, given_now, person
from tests.treasurers import make_treasurer

PAGES = table("pages")
# Things whose very name is a secret: who asks for them knows that they exist.
SECRETS = ("code", "invitation", "block")
# Names of where a thing is, not of the thing.
PLACES = ("scope",)
MONEY = tuple(kind for kind in STRONG if kind != "administrator")
# Things that a list shows to whoever reads what they belong to.
LISTED = {
    "member": "organisation", "offer made": "organisation", "payment to certify": "pledge", "instalment": "pledge",
    "objection": "contribution", "question": "contribution", "settled": "contribution", "adjustment": "contribution",
    "doubt": "distribution",
}  # fmt: skip
LEAD = ("treasurer", "steward", "administrator", "auditor", "manager", "contributor", "member", "outsider", "anonymous")


def with_browser(browser: Client) -> Callable[[Cell, House], HttpResponse]:
    """Asks for a cell in another browser than the persona's own."""

    def asked(cell: Cell, house: House) -> HttpResponse:
        return ask(cell, house, address_of(cell, house), house.forms.get(cell.route), browser)

    return asked


def strong_cells(row: Row) -> list[Cell]:
    """The cells of somebody without any role, where a strong role is let in and they are not."""
    found: list[Cell] = []
    if row.route.startswith(("mfa_", "account_")):
        return found  # these ask whether one has a factor, whatever one's roles
    for cell in row.cells():
        answers = row.answers[cell.verb][cell.which]
        if cell.persona == "outsider" and cell.expected != "ok" and "ok" in {answers[one] for one in STRONG}:
            found.append(cell)
    return found


def strong(house: House, user: User, kinds: tuple[str, ...]) -> User:
    """Give somebody these roles of trust; an administrator holds none that touches money."""
    for kind in kinds:
        if kind == "treasurer":
            make_treasurer(user, now=house.now)
            continue
        place = house.played.budget.pk if kind == "steward" else house.played.host.pk
        grant_role(user=user, kind=kind, scope=place, granted_by=None, now=house.now)
    return user


@pytest.fixture(scope="module")
def asleep(house: House) -> Client:
    """A browser of somebody who holds every strong role that touches money and has no second factor."""
    return silent(enter(strong(house, person("nemo", "Nemo Sans"), MONEY)))


@pytest.fixture(scope="module")
def asleep_administrator(house: House) -> Client:
    """A browser of an administrator who has no second factor."""
    return silent(enter(strong(house, person("nora", "Nora Sans"), ("administrator",))))


@pytest.fixture(scope="module")
def removed(house: House) -> Client:
    """A browser that was opened as treasurer and steward; the roles were taken back since, the page is still there."""
    return taken_back(strong(house, person("gone", "Gone Hier", strong=True), MONEY), "/en/payouts/")


@pytest.fixture(scope="module")
def removed_administrator(house: House) -> Client:
    """A browser that was opened as administrator; the role was taken back since."""
    user = strong(house, person("past", "Past Hier", strong=True), ("administrator",))
    return taken_back(user, "/en/people/")


def taken_back(user: User, page: str) -> Client:
    """A browser of somebody whose roles opened a page, and were taken back."""
    browser = silent(enter(user))
    assert browser.get(page).status_code == 200
    Role.objects.filter(user=user).delete()
    return browser


def silent(browser: Client) -> Client:
    """A browser that is told of failures as people are."""
    browser.raise_request_exception = False
    return browser


@pytest.mark.parametrize("browser", ["asleep", "asleep_administrator", "removed", "removed_administrator"])
def test_a_role_that_does_not_count_opens_nothing(house: House, request: pytest.FixtureRequest, browser: str) -> None:
    used = request.getfixturevalue(browser)
    cells = [cell for row in PAGES.values() for cell in strong_cells(row)]
    faults = [wrong(cell, house, with_browser(used), used) for cell in cells]
    assert not [one for one in faults if one]
    assert len(cells) > 60
    print(f"\n{browser}: {len(cells)} cells")


def test_a_role_taken_back_is_refused_in_words(removed: Client) -> None:
    answer = removed.get("/en/payouts/")
    assert answer.status_code == 403
    assert "Your roles do not allow this." in answer.content.decode()


def old(user: User) -> Client:
    """A browser whose factor was given ten minutes ago."""
    browser = silent(enter(user))
    given_now(browser, ago=600)
    return browser


def test_a_fresh_factor_is_asked_where_the_matrix_says_and_nowhere_else(house: House) -> None:
    browsers: dict[str, Client] = {}
    faults, asked_again = [], 0
    for row in PAGES.values():
        for verb, by_which in row.answers.items():
            found = [
                Cell(row.route, verb, row.of, which, persona, "stepup" if verb in row.fresh else "ok")
                for persona in LEAD if persona != "anonymous"
                for which, answers in by_which.items() if answers[persona] == "ok"
            ]  # fmt: skip
            if not found:
                assert verb not in row.fresh, row.route
                continue
            cell = found[0]
            if cell.persona not in browsers:
                browsers[cell.persona] = old(house.people[cell.persona])
            asked_again += cell.expected == "stepup"
            faults.append(wrong(cell, house, with_browser(browsers[cell.persona]), browsers[cell.persona]))
    assert not [one for one in faults if one]
    assert asked_again > 20


def test_no_form_is_taken_from_another_site(house: House) -> None:
    faults, tried = [], 0
    for row in PAGES.values():
        by_which = row.answers.get("POST", {})
        found = [
            Cell(row.route, "POST", row.of, which, persona, "403")
            for persona in LEAD for which, answers in by_which.items() if answers[persona] == "ok"
        ]  # fmt: skip
        if not found or row.open:
            continue
        cell = found[0]
        strict = silent(Client(enforce_csrf_checks=True))
        strict.cookies.update(house.browser(cell.persona).cookies)
        faults.append(wrong(cell, house, with_browser(strict), strict))
        tried += 1
    assert not [one for one in faults if one]
    assert tried > 20


def test_no_refusal_tells_whether_a_thing_exists(house: House) -> None:
    """A 403 is for who sees the thing, or is the same for one that is not there."""
    readable: dict[tuple[str, str], set[str]] = {}
    for row in PAGES.values():
        for cell in row.cells():
            if cell.verb == "GET" and cell.expected == "ok":
                readable.setdefault((cell.of, cell.which), set()).add(cell.persona)
    faults = []
    for row in PAGES.values():
        for cell in row.cells():
            known = cell.persona in readable.get((LISTED.get(cell.of, cell.of), cell.which), set())
            if cell.expected != "403" or cell.of in {"-", *SECRETS} or known:
                continue
            names = {
                name: value if name in PLACES else nowhere(value)
                for name, value in house.names(cell.of, cell.which, cell.persona).items()
            }
            answer = ask(cell, house, address_of(cell, house, names), house.forms.get(cell.route))
            if answer.status_code != 403:
                faults.append(f"{cell}: 403, but {answer.status_code} when there is none")
    assert not faults


def nowhere(value: Any) -> Any:
    """A name like this one, of nothing."""
    if isinstance(value, int):
        return value + 1_000_000
    head, mark, tail = str(value).partition("_")
    return f"{head}{mark}{'0' * len(tail)}" if mark else value


def test_the_things_of_each_persona_are_known(house: House) -> None:
    for of, found in house.things.items():
        assert set(found) <= {"own", "foreign", "other"}, of
        for which, names in found.items():
            assert names, (of, which)
            assert not isinstance(names, OwnOfEach) or set(names) >= set(house.people), of
