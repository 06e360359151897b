"""Yearly reports of a commons, of an organisation that pays, and of the host: sources, uses, what is left.

Everything is computed from the ledger, and ties to it to the cent; nothing is stored. No person is named: a report of a
locked year stays the same to the byte, whoever is forgotten.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from backend.commons.models import Budget, Commons
from backend.core.errors import Invalid, NotFound
from backend.events.services import record
from backend.exports.tracing import KINDS as POTS_TRACED
from backend.exports.tracing import Traced, _Facts, replay, together
from backend.identity.models import Organisation, User
from backend.identity.permissions import may, require
from backend.identity.services import fiscal_year, the_host
from backend.ledger import chart
from backend.ledger.chart import NATURE, PLAN, base_kind
from backend.ledger.services import movements, open_from, trial_balance, unsealed
from backend.ledger.yearly import YearSum, fees_by_payer_purse, year_sums
from backend.payments.models import Payment

POTS = ("budget", "reserve", "deficit")
ONE_DAY = timedelta(days=1)
HELD = ("bank", "clearing")  # what the host has; every other purse says whose it is


@dataclass(frozen=True)
class Row:
    """One line of a report: the id of what it is about (or the code of a figure), its label, minor units by column."""

    key: str
    label: str
    amounts: tuple[int, ...]


@dataclass
class Table:
    """A table of a report in one currency; `heads` begins with that of the labels. `total` adds the rows up."""

    key: str
    head: str
    heads: list[str]
    currency: str
    rows: list[Row] = field(default_factory=list)
    total: Row | None = None


@dataclass
class Report:
    """A report in one language: its tables and notes; `final` once all its months are locked and sealed."""

    sort: str
    subject: str
    name: str
    title: str
    year: int
    first: date
    last: date
    language: str
    final: bool
    tables: list[Table]
    notes: list[str]

    @property
    def stem(self) -> str:
        """What its files are called, before the dot."""
        return f"tronc-{self.sort}-{self.subject}-{self.year}-{self.language}"


def commons_report(*, actor: User, commons_id: str, year: int, language: str) -> Report:
    """The year of all the budgets of a commons. Raises: NotFound, also where one may not read it; Invalid
    `year_unknown`."""
    commons = Commons.objects.filter(pk=commons_id).first()
    budgets = list(Budget.objects.filter(commons=commons_id).select_related("commons", "parent").order_by("pk"))
    if commons is None or not may(actor, "support.read", scopes=[one.pk for one in budgets]):
        raise NotFound("commons_not_found", _("There is no such commons."))
    first, last = _days(year)
    names = {one.pk: one.full_name for one in budgets}
    with translation.override(language):
        sums = year_sums(kinds=POTS, first=first, last=last, owners=names)
        fees = fees_by_payer_purse(first=first, last=last)
        tables: list[Table] = []
        for currency in sorted({row.currency for row in sums}):
            mine = [row for row in sums if row.currency == currency]
            taken = {(owner, kind): cents for (owner, money, kind), cents in fees.items()
                     if money == currency and owner in names}  # fmt: skip
            tables += [_flows(mine, taken, currency), _by_budget(mine, names, currency)]
        note = _("Amounts come from the books; what moves inside the commons is not counted as received or spent.")
        of = ("commons", commons.pk, commons.name)
        return _report(of, _("Yearly report of a commons"), year, language, (tables, note))


def host_report(*, actor: User, year: int, language: str) -> Report:
    """The year of the whole house: what it holds and whose it is, each commons, income and charges."""
    require(actor, "ledger.read")
    first, last = _days(year)
    host = the_host()
    with translation.override(language):
        sums = year_sums(kinds=NATURE, first=first, last=last)
        tables: list[Table] = []
        for currency in sorted({row.currency for row in sums}):
            mine = [row for row in sums if row.currency == currency]
            tables += [*_held(mine, currency), _by_commons(mine, currency), _result(first, last, currency)]
        note = _("What the host holds is what it owes, keeps for the commons or owns: both tables end alike.")
        of = ("host", host.siren, host.name)
        return _report(of, _("Yearly report of the trusted third party"), year, language, (tables, note))


def organisation_report(*, actor: User, organisation_id: str, year: int, language: str) -> Report:
    """The year of the money of an organisation, followed through the purses: given, spent on work, left."""
    organisation = Organisation.visible_to(actor).filter(pk=organisation_id).first()
    if organisation is None:
        raise NotFound("organisation_not_found", _("There is no such organisation."))
    require(actor, "organisation.read", scopes=[organisation.pk])
    first, last = _days(year)
    payments = {
        row.pk: row for row in Payment.objects.filter(pledge__organisation=organisation).select_related("pledge")
    }
    with translation.override(language):
        tables = [
            _followed(list(payments.values()), currency, first, last)
            for currency in sorted({row.currency for row in payments.values()})
        ]
        note = _(
            "A pot mixes the money of all who pay: what leaves it is taken from each in proportion of what is left."
        )
        of = ("organisation", organisation.pk, organisation.name)
        return _report(of, _("Yearly report of an organisation"), year, language, (tables, note))


def note_taken(*, actor: User, report: Report, form: str, now: datetime) -> None:
    """Record that somebody took a report away as a file."""
    record(
        "books.exported", actor=actor, subject=the_host().pk, now=now, format=f"{report.sort} report {form}",
        first=report.first.isoformat(), last=report.last.isoformat(), about=report.subject,
    )  # fmt: skip


def _days(year: int) -> tuple[date, date]:
    try:
        return fiscal_year(year, starts_on=the_host().fiscal_year_starts_on)
    except (ValueError, OverflowError):
        raise Invalid("year_unknown", _("Give a year with four figures."), param="year") from None


def _report(of: tuple[str, str, str], title: str, year: int, language: str, body: tuple[list[Table], str]) -> Report:
    """A report with its state: of what (sort, id, name), and its tables with their note."""
    first, last = _days(year)
    locked_to = open_from()
    final = locked_to is not None and last < locked_to and not unsealed(first=first, last=last)
    tables, note = body
    notes = [note]
    if not final:
        notes.insert(0, _("Provisional: the months of this year are not all locked, its figures may still change."))
    return Report(*of, title, year, first, last, language, final, tables, notes)


FLOWS: dict[str, Callable[[str], bool]] = {
    "received": lambda kind: kind in {"payment.received", "payment.given_back"},
    "taken_back": lambda kind: kind == "payment.taken_back",
    "opened": lambda kind: kind == "opening",
    "upstream": lambda kind: kind == "distribution.upstream",
    "moved": lambda kind: kind.startswith("transfer.") or kind in {"distribution.release", "distribution.reserve"},
}


def _flow(row: YearSum) -> str:
    """Which line of sources and uses a sum belongs to."""
    if row.chart == chart.SERVICES:
        return "work"
    if row.chart == chart.PROVIDER_FEES:
        return "provider_fees"
    kind = base_kind(row.entry)
    return next((name for name, fits in FLOWS.items() if fits(kind)), "other")


def _flows(sums: list[YearSum], fees: dict[tuple[str, str], int], currency: str) -> Table:
    """From what was there to what is left: sources above zero, uses below. Payments stand with the host's fees, which
    are a use of their own."""
    flows: dict[str, int] = defaultdict(int)
    for row in sums:
        if not row.entry.startswith("year."):
            flows[_flow(row)] -= row.during
    for (_owner, kind), cents in fees.items():
        flows["taken_back" if base_kind(kind) == "payment.taken_back" else "received"] += cents
        flows["host_fees"] -= cents
    labels = {
        "received": _("Received from those who pay"),
        "taken_back": _("Taken back or refunded"),
        "host_fees": _("Fees of the trusted third party"),
        "provider_fees": _("Fees of the payment provider"),
        "work": _("Contributors’ work"),
        "upstream": _("To and from other commons, by sharing"),
        "moved": _("To and from other commons, by transfers"),
        "opened": _("There when the books were opened"),
        "other": _("Other movements"),
    }
    start = -sum(row.before for row in sums)
    found = Table("flows", _("Sources and uses"), [_("Figure"), _("Amount")], currency)
    found.rows = [Row("start", _("Held at the start"), (start,))]
    found.rows += [Row(key, label, (flows[key],)) for key, label in labels.items() if flows.get(key)]
    found.total = Row("end", _("Held at the end"), (sum(row.amounts[0] for row in found.rows),))
    return found


def _ends(sums: Iterable[YearSum]) -> tuple[int, int, int, int, int]:
    """Start, change, end, and of the end the reserve and the deficit, in minor units."""
    rows = list(sums)
    start, change = -sum(row.before for row in rows), -sum(row.during for row in rows)
    reserve = -sum(row.before + row.during for row in rows if row.purse == "reserve")
    deficit = sum(row.before + row.during for row in rows if row.purse == "deficit")
    return start, change, start + change, reserve, deficit


def _pot_heads(first: str) -> list[str]:
    return [
        first,
        _("Start"),
        pgettext("column", "Change"),
        _("End"),
        _("of which reserve"),
        _("of which deficit, less"),
    ]


def _summed(rows: list[Row]) -> Row:
    return Row("total", _("Total"), tuple(map(sum, zip(*(row.amounts for row in rows), strict=True))))


def _by_budget(sums: list[YearSum], names: dict[str, str], currency: str) -> Table:
    found = Table("budgets", _("Budget by budget"), _pot_heads(_("Budget")), currency)
    for owner in sorted({row.owner for row in sums}, key=lambda one: (names[one], one)):
        found.rows.append(Row(owner, names[owner], _ends(row for row in sums if row.owner == owner)))
    found.total = _summed(found.rows) if found.rows else None
    return found


def _by_commons(sums: list[YearSum], currency: str) -> Table:
    pots = [row for row in sums if row.purse in POTS]
    of = dict(Budget.objects.filter(pk__in={row.owner for row in pots}).values_list("pk", "commons_id"))
    names = dict(Commons.objects.filter(pk__in=set(of.values())).values_list("pk", "name"))
    found = Table("commons", _("Commons by commons"), _pot_heads(pgettext("column", "Commons")), currency)
    for one in sorted(names, key=lambda key: (names[key], key)):
        found.rows.append(Row(one, names[one], _ends(row for row in pots if of.get(row.owner) == one)))
    found.total = _summed(found.rows) if found.rows else None
    return found


def _held(sums: list[YearSum], currency: str) -> list[Table]:
    """What the host has, and whose it is: a purse with a debit side stands below zero among the latter."""
    labels = {
        "bank": _("Bank accounts"), "clearing": _("Cheques, cash and payment provider, on their way"),
        "in_transit": _("Payouts on their way"), "suspense": _("To be identified"), "budget": _("Pots of the commons"),
        "payee": _("Owed to payees"), "reserve": _("Reserves of the commons"), "deficit": _("Deficits of the commons"),
        "host_fees": _("The host’s own"), "provider_fees": _("Fees of the payment provider"),
    }  # fmt: skip
    heads = [_("Purse"), _("Start"), pgettext("column", "Change"), _("End")]
    tables = []
    for key, head, kinds, sign in (
        ("held", _("What the host holds"), [one for one in NATURE if one in HELD], 1),
        ("whose", _("Whose it is"), [one for one in NATURE if one not in HELD], -1),
    ):
        found = Table(key, head, heads, currency)
        for kind in kinds:
            mine = [row for row in sums if row.purse == kind]
            start, change = sign * sum(row.before for row in mine), sign * sum(row.during for row in mine)
            if mine:
                found.rows.append(Row(kind, labels[kind], (start, change, start + change)))
        found.total = _summed(found.rows) if found.rows else Row("total", _("Total"), (0, 0, 0))
        tables.append(found)
    return tables


def _result(first: date, last: date, currency: str) -> Table:
    """Income above zero, charges below, number by number; volunteering valued stands beside, always at zero."""
    moved: dict[str, int] = defaultdict(int)
    for sign, rows in ((1, trial_balance(up_to=last)), (-1, trial_balance(up_to=first - ONE_DAY))):
        for row in rows:
            if row.currency == currency and row.chart[0] in "678":
                moved[row.chart] -= sign * row.balance
    french = (translation.get_language() or "fr").startswith("fr")
    found = Table("result", _("Income and charges"), [_("Account"), _("Amount")], currency)
    for number, amount in sorted(moved.items()):
        label = PLAN.accounts.get(number, ("", ""))[0 if french else 1]
        if amount:
            found.rows.append(Row(number, f"{number} {label}", (amount,)))
    found.total = Row("total", _("Surplus or deficit"), (sum(moved.values()),))
    return found


def _followed(payments: list[Payment], currency: str, first: date, last: date) -> Table:
    """Per budget, what of the organisation's money was there, came, was spent, went back, moved, and is left."""
    mine = {row.pk: row for row in payments if row.currency == currency}
    rows = movements(kinds=POTS_TRACED, owners=together({row.pledge.budget_id for row in mine.values()}),
                     currency=currency)  # fmt: skip
    known = {row.entry: row for row in rows}

    def at(day: date) -> Traced:
        told = [row for row in rows if row.happened_on <= day]
        return replay(told, _Facts(told), set(mine))

    before, after = at(first - ONE_DAY), at(last)
    columns: dict[str, list[int]] = defaultdict(lambda: [0] * 7)
    for key, payment in mine.items():
        came = columns[payment.pledge.budget_id]
        brought = after.brought.get(key, 0) - before.brought.get(key, 0)
        entry = known.get(payment.entry)
        net = 0
        if entry is not None and first <= entry.happened_on <= last:
            net = sum(entry.moved.values())
            came[1] += payment.amount
            came[2] += payment.amount - net
        # Money that came home after it was taken back was brought a second time.
        came[4] += after.gone.get(key, 0) - before.gone.get(key, 0) - (brought - net)
        for column, traced in ((0, before), (6, after)):
            for (_kind, owner), cents in traced.left_of(key).items():
                columns[owner][column] += cents
    for spent in after.spent:
        if spent.on >= first:
            columns[spent.budget][3] += spent.amount
    for row in columns.values():
        start, gross, kept, work, back, _moved, end = row
        row[5] = end - (start + gross - kept - work - back)
    budgets = Budget.objects.select_related("commons", "parent").in_bulk(list(columns))
    names = {key: f"{one.commons.name}, {one.name}" if one.parent_id else one.commons.name
             for key, one in budgets.items()}  # fmt: skip
    heads = [_("Budget"), _("Start"), _("Given"), _("Fees, deficits"), _("Work"), _("Back"), _("Moved"), _("Left")]
    found = Table("followed", _("Where your money went"), heads, currency)
    found.rows = [
        Row(owner, names.get(owner, owner), tuple(columns[owner]))
        for owner in sorted(columns, key=lambda one: (names.get(one, ""), one))
        if any(columns[owner])
    ]
    found.total = _summed(found.rows) if found.rows else None
    return found
