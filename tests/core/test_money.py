"""Amounts as people type them and as each language writes them."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from backend.core.errors import Invalid
from backend.core.money import MAX_AMOUNT, decimal_text, format_money, parse_amount, require_amount, require_currency


@pytest.mark.parametrize(
    ("typed", "currency", "minor"),
    [
        ("100", "EUR", 100_00), ("100,00", "EUR", 100_00), ("1250.5", "EUR", 1250_50), ("1 250,50 €", "EUR", 1250_50),
        ("1\u202f250,50\u00a0€", "EUR", 1250_50), ("0,01", "EUR", 1), ("10000000000", "EUR", MAX_AMOUNT),
        ("500", "XPF", 500), ("1,234", "TND", 1234), ("007", "EUR", 7_00),
    ],
)  # fmt: skip
def test_an_amount_is_read(typed: str, currency: str, minor: int) -> None:
    assert parse_amount(typed, currency) == minor


@pytest.mark.parametrize(
    ("typed", "code"),
    [
        ("1e3", "amount_unreadable"), ("-5", "amount_unreadable"), ("0", "amount_out_of_range"),
        ("NaN", "amount_unreadable"), (str(2**63), "amount_out_of_range"), ("", "amount_unreadable"),
        ("1,5,0", "amount_unreadable"), ("1.234,56", "amount_unreadable"), ("1,234", "amount_unreadable"),
        ("12 34", "amount_unreadable"), ("١٠", "amount_unreadable"), ("1,²", "amount_unreadable"),
        ("inf", "amount_unreadable"), ("0x10", "amount_unreadable"), ("10000000000,01", "amount_out_of_range"),
        ("9" * 5000, "amount_unreadable"), ("+5", "amount_unreadable"), (",5", "amount_unreadable"),
    ],
)  # fmt: skip
def test_what_is_not_an_amount_is_refused_by_name(typed: str, code: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_amount(typed, "EUR", param="amount")
    assert (refusal.value.code, refusal.value.param) == (code, "amount")


def test_zero_where_volunteering_is_meant() -> None:
    assert parse_amount("0", "EUR", minimum=0) == 0


@pytest.mark.parametrize("value", [True, 1.0, "10", None, 0, -1, 2**63])
def test_only_a_whole_number_in_range_is_an_amount(value: object) -> None:
    with pytest.raises(Invalid):
        require_amount(value)  # type: ignore[arg-type]


def test_an_unknown_currency_is_refused() -> None:
    with pytest.raises(Invalid) as refusal:
        require_currency("DEM")
    assert refusal.value.code == "unknown_currency"


@pytest.mark.parametrize(("language", "text"), [("fr", "1\u202f250,50\u00a0€"), ("en", "€1,250.50")])
def test_each_language_writes_money_its_way(language: str, text: str) -> None:
    assert format_money(1250_50, "EUR", language) == text


def test_plain_decimals_for_files() -> None:
    assert [decimal_text(-1250, "EUR"), decimal_text(500, "XPF"), decimal_text(5, "TND")] == ["-12.50", "500", "0.005"]


@settings(derandomize=True, max_examples=200)
@given(st.integers(1, MAX_AMOUNT), st.sampled_from(["EUR", "XPF", "TND"]))
def test_what_is_written_is_read_back(minor: int, currency: str) -> None:
    assert parse_amount(decimal_text(minor, currency), currency) == minor
    if currency == "EUR":
        assert parse_amount(format_money(minor, "EUR", "fr"), "EUR") == minor
