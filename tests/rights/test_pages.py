"""Every page × every role × whose object × every verb, called for real, against matrix.toml."""

from collections import Counter

import pytest
from django.http import HttpResponse
from django.urls import get_resolver

from tests.rights.matrix import Cell, address_of, ask, routes, table, wrong
from tests.rights.world import House

PAGES = table("pages")


def pages() -> set[str]:
    """Every route of the instance but those of the API."""
    return {name for name in routes(get_resolver().url_patterns) if not name.startswith("v1/")}


def test_every_page_has_its_row_and_every_row_its_page() -> None:
    known = pages()
    assert sorted(known - set(PAGES)) == [], "routes without a row in matrix.toml"
    assert sorted(set(PAGES) - known) == [], "rows of matrix.toml without a route"


def asked(cell: Cell, house: House) -> HttpResponse:
    """The answer to a cell."""
    return ask(cell, house, address_of(cell, house), house.forms.get(cell.route))


@pytest.mark.parametrize("route", sorted(PAGES))
def test_a_page_answers_each_role_as_the_matrix_says(house: House, route: str) -> None:
    row = PAGES[route]
    faults = [wrong(cell, house, asked) for cell in (*row.telling(), *row.unlisted())]
    assert not [one for one in faults if one]


def test_all_of_it_was_counted() -> None:
    counted = Counter(cell.expected for row in PAGES.values() for cell in (*row.telling(), *row.unlisted()))
    assert counted.total() > 2000
    print(f"\nPages: {counted.total()} cells, {dict(counted)}")
