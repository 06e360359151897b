"""How amounts, durations, references, IBANs and days are printed on pages."""

from datetime import date, datetime

from babel.dates import format_date, format_time
from django import template
from django.template.defaultfilters import stringfilter
from django.utils import timezone
from django.utils.translation import get_language, gettext
from stdnum import iban as iban_format

from backend.commons.models import Charter
from backend.core.money import format_money
from backend.pledges.references import printed
from backend.web import charter_words

register = template.Library()
NO_BREAK = "\u00a0"


@register.filter
def money(amount: int | None, currency: str) -> str:
    """Minor units as the reader's language writes them; nothing for None."""
    return "" if amount is None else format_money(amount, currency)


@register.filter
def signed(amount: int, currency: str) -> str:
    """A difference in minor units, with its sign and no space that could break."""
    return f"{'+' if amount > 0 else '−'}{NO_BREAK}{format_money(abs(amount), currency)}"


@register.filter
def how(charter: Charter, currency: str) -> list[str]:
    """How a charter shares, a sentence a tier."""
    return charter_words.how(charter.document, currency)


@register.filter
def usual_worth(charter: Charter, currency: str) -> str:
    """What an hour of each kind is usually worth; empty where the charter suggests nothing."""
    return charter_words.usual_worth(charter.document, currency)


@register.filter
def duration(minutes: int | None) -> str:
    """Minutes as `1 h 30`, `2 h` or `45 min`; nothing for None."""
    if minutes is None:
        return ""
    hours, rest = divmod(minutes, 60)
    if not hours:
        unit = gettext("min")
        return f"{rest}{NO_BREAK}{unit}"
    return f"{hours}{NO_BREAK}h" + (f"{NO_BREAK}{rest:02d}" if rest else "")


@register.filter
@stringfilter
def groups(reference: str) -> str:
    """A structured reference in groups of four, with plain spaces: people copy it."""
    return printed(reference) if reference else ""


@register.filter
@stringfilter
def iban(number: str) -> str:
    """An IBAN in groups of four, with plain spaces: people copy it."""
    return str(iban_format.format(number)) if number else ""


@register.filter
@stringfilter
def siren(number: str) -> str:
    """A SIREN in groups of three."""
    return NO_BREAK.join(number[start : start + 3] for start in range(0, len(number), 3))


def _locale() -> str:
    return "en_GB" if (get_language() or "fr").startswith("en") else "fr_FR"


@register.filter
def day(value: date | datetime | None) -> str:
    """A day in words of the reader's language; of a moment, the day in the host's time zone; nothing for None."""
    if value is None:
        return ""
    if isinstance(value, datetime):
        value = timezone.localtime(value).date()
    text = str(format_date(value, "long", locale=_locale()))
    if _locale() == "fr_FR" and value.day == 1:
        text = "1er" + text.removeprefix("1")
    return text.replace(" ", NO_BREAK)


@register.filter
def month(value: date | None) -> str:
    """The month of a day, with its year: “October 2026”; nothing for None."""
    return "" if value is None else str(format_date(value, "MMMM y", locale=_locale())).replace(" ", NO_BREAK)


@register.filter
def moment(value: datetime | None) -> str:
    """A day and time in the host's time zone; nothing for None."""
    if value is None:
        return ""
    here = timezone.localtime(value)
    return f"{day(here)}, {format_time(here.time(), 'short', locale=_locale())}"


@register.filter
@stringfilter
def weblink(address: str) -> str:
    """The address if it is a web one, else nothing: only http and https become links."""
    return address if address.startswith(("https://", "http://")) else ""
