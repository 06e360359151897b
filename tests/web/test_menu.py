"""The menu says in which of its lines a page stands."""

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client


@pytest.mark.parametrize(
    ("address", "line"),
    [
        ("bank/inbox/", "Bank"), ("clearing/", "Bank"), ("helloasso/", "Bank"), ("bank/rules/", "Bank"),
        ("projection/", "To do"), ("treasury/", "To do"), ("payouts/", "Payouts"), ("books/auditor/", "Books"),
        ("books/sample/", "Books"), ("books/years/2026/", "Books"),
    ],
)  # fmt: skip
def test_the_line_of_a_page(play: Callable[..., Any], sign_in: Callable[..., Client], address: str, line: str) -> None:
    page = sign_in(play("make_house").users["claire"]).get(f"/en/{address}").content.decode()
    current = re.findall(r'<li><a href="[^"]*" aria-current="(?:true|page)">([^<]*)', page)
    assert [one.strip() for one in current] == [line]
