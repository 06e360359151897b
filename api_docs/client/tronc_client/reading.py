"""Durations, days and amounts as people write them, and as they are shown."""

import re
from datetime import date, timedelta

from tronc_client.said import Failure, _, language

_MINUTES = re.compile(r"([0-9]{1,5}) ?(?:min|mn|m)?")
_HOURS = re.compile(r"([0-9]{1,3}) ?(?:h ?([0-9]{1,2})?|: ?([0-9]{2})) ?(?:min|mn|m)?")
_AMOUNT = re.compile(r"([0-9]{1,11})(?:[.,]([0-9]{1,3}))?")
_DECIMALS = {"XPF": 0, "TND": 3}  # all the others that Tronc keeps have two
MOST_MINUTES = 31 * 24 * 60


def minutes(text: str) -> int:
    """`90`, `1h30`, `1:30`, `2 h` as minutes."""
    typed = " ".join(text[:40].lower().replace("\u00a0", " ").replace("\u202f", " ").split())
    plain, hours = _MINUTES.fullmatch(typed), _HOURS.fullmatch(typed)
    found = -1
    if plain:
        found = int(plain[1])
    elif hours and int(hours[2] or hours[3] or 0) < 60:
        found = int(hours[1]) * 60 + int(hours[2] or hours[3] or 0)
    if not 0 <= found <= MOST_MINUTES:
        raise Failure(_("“%s” is not a duration: write 90, 1h30 or 1:30, at most 31 days.") % text[:40])
    return found


def day(text: str) -> date:
    """`2026-11-20`, `today`, `yesterday`, `hier` as a day."""
    word = text.strip().lower()
    if word in {"today", "aujourd'hui", "aujourd’hui"}:
        return date.today()  # noqa: DTZ011 - the day of the person, as their own calendar shows it
    if word in {"yesterday", "hier"}:
        return date.today() - timedelta(days=1)  # noqa: DTZ011
    try:
        if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", word):
            return date.fromisoformat(word)
    except ValueError:
        pass
    raise Failure(_("“%s” is not a day: write 2026-11-20, today or yesterday.") % text[:40])


def cents(text: str, currency: str) -> int:
    """`45`, `45,5` or `45.50` in the smallest unit of the currency."""
    decimals = _DECIMALS.get(currency, 2)
    found = _AMOUNT.fullmatch(text.strip())
    if not found or len(found[2] or "") > decimals:
        raise Failure(_("“%s” is not an amount: write 45 or 45.50, without a currency.") % text[:40])
    one: int = 10**decimals
    return int(found[1]) * one + int((found[2] or "").ljust(decimals, "0") or 0)


def hours(count: int) -> str:
    """Minutes as people say them: `1 h 30`."""
    if count < 60:
        return f"{count} min"
    return f"{count // 60} h" + (f" {count % 60:02}" if count % 60 else "")


def money(amount: dict[str, object]) -> str:
    """An amount of the API as people write it."""
    value, currency = int(str(amount["value"])), str(amount["currency"])
    decimals = _DECIMALS.get(currency, 2)
    whole, part = divmod(abs(value), 10**decimals)
    comma, gap = (",", "\u00a0") if language() == "fr" else (".", "\u00a0")
    return f"{'−' if value < 0 else ''}{whole}{f'{comma}{part:0{decimals}}' if decimals else ''}{gap}{currency}"
