"""Every page × every role × whose object × every verb, called for real, against matrix.toml.

Of each page, verb and whose object, one person of each answer is drawn by lot; `./run prove grids` tries them all.
"""

from collections import Counter

import pytest
from django.http import HttpResponse
from django.urls import get_resolver

from tests.rights.matrix import SEED, WHOLE, Cell, address_of, ask, routes, table, wrong
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
    faults = [wrong(cell, house, asked) for cell in PAGES[route].tried()]
    assert not [one for one in faults if one], f"seed {SEED}"


def test_a_slice_has_every_answer_of_every_page() -> None:
    for route, row in PAGES.items():
        told = {(cell.verb, cell.which, cell.expected) for cell in row.telling()}
        tried = row.tried()
        assert {(cell.verb, cell.which, cell.expected) for cell in tried if cell.verb in row.answers} == told, route
        assert any(cell.verb not in row.answers for cell in tried) == any(row.unlisted()), route
        assert set(tried) <= {*row.telling(), *row.unlisted()}


def test_all_of_it_was_counted() -> None:
    counted = Counter(cell.expected for row in PAGES.values() for cell in (*row.telling(), *row.unlisted()))
    tried = sum(len(row.tried()) for row in PAGES.values())
    assert counted.total() > 2000
    assert tried == counted.total() if WHOLE else tried > 1000
    print(f"\nPages: {tried} of {counted.total()} cells, seed {SEED}, {dict(counted)}")
