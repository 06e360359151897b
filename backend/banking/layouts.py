"""Reads a statement as a person chose: the columns of a CSV, and which of our accounts a bank's own number means."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext_lazy as _
from stdnum import iban as iban_rules

from backend.banking.formats import detect, read_as, require_one_file
from backend.banking.formats.base import ParsedStatement, StatementFileError, is_iban_shaped, require_size
from backend.banking.formats.csv_file import Table, fits, read, read_table
from backend.banking.formats.csv_layout import Layout
from backend.banking.models import CsvLayout
from backend.banking.services import Imported, keep_statements
from backend.core.errors import Invalid, NotFound
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import HostBankAccount, User
from backend.identity.permissions import require

_MASKED = re.compile(r"[Xx*•#]{2,}")
_ENOUGH = 4  # figures that a masked number must show for the page to propose an account


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """What a person chose for a file. `accounts`: the number that the file writes → id of the host's account."""

    layout: Layout | None = None
    accounts: Mapping[str, str] = field(default_factory=dict)
    save_as: str = ""


def table_of(data: bytes) -> Table | None:
    """The cells of a CSV file; None when the file is of another format.

    Raises: Invalid with the reader's sentence, naming the field `file`.
    """
    try:
        require_size(data, settings.STATEMENT_MAX_BYTES)
        return read_table(data, settings.STATEMENT_MAX_BYTES) if detect(data) == "csv" else None
    except StatementFileError as refusal:
        raise Invalid(refusal.code, refusal.message, param="file") from refusal


def read_chosen(data: bytes, choices: Choices) -> list[ParsedStatement]:
    """Read a file with its layout, and name the accounts of the host in place of the numbers that stand for them.

    Returns: the statements; those whose number nobody has explained keep it. Writes nothing.
    Raises: Invalid with the reader's sentence, naming the field `file`.
    """
    accounts = {one.pk: one for one in HostBankAccount.objects.order_by("pk")}
    chosen = accounts.get(choices.accounts.get("", ""))
    own = chosen or next(iter(accounts.values()), None)
    try:
        require_size(data, settings.STATEMENT_MAX_BYTES)
        kind = detect(data)
        if kind == "csv":
            require_one_file(kind, data)
            currency = own.currency if own else "EUR"
            parsed = read(data, settings.STATEMENT_MAX_BYTES, layout=choices.layout, currency=currency)
        else:
            parsed = read_as(kind, data, settings.STATEMENT_MAX_BYTES)
    except StatementFileError as refusal:
        raise Invalid(refusal.code, refusal.message, param="file") from refusal
    bound = []
    for statement in parsed:
        account = accounts.get(choices.accounts.get(statement.account, ""))
        is_open = is_local_number(statement.account)
        bound.append(replace(statement, account=account.iban) if account and is_open else statement)
    return bound


def is_local_number(number: str) -> bool:
    """Whether a number of an account is the bank's own, masked or absent: a person must say which account it is.

    A whole IBAN says it alone, be it ours or not.
    """
    return bool(_MASKED.search(number)) or not (iban_rules.is_valid(number) or is_iban_shaped(number))


def numbers_to_explain(parsed: Sequence[ParsedStatement]) -> list[str]:
    """The numbers that stand for an account of the host without naming it, each once, in the order of the file."""
    return list(dict.fromkeys(one.account for one in parsed if is_local_number(one.account)))


def could_be(number: str, iban: str) -> bool:
    """Whether the figures of a bank's own number, masked or not, are found in an IBAN, in their order.

    Too few figures prove nothing.
    """
    parts = [part for part in re.split(r"[^0-9A-Za-z]+|[Xx]{2,}", number.upper()) if part]
    if sum(len(part) for part in parts) < _ENOUGH or not any(part.isdecimal() for part in parts):
        return False
    at = 0
    for part in parts:
        if part.isdecimal() or len(parts) == 1:
            at = iban.find(part.lstrip("0") if len(part) > _ENOUGH else part, at)
            if at < 0:
                return False
    return True


def likely_account(number: str, accounts: Sequence[HostBankAccount]) -> HostBankAccount | None:
    """The only account of the host that a number could be, for a page to propose; None when several or none could."""
    fitting = [one for one in accounts if could_be(number, one.iban)] if number else list(accounts)
    return fitting[0] if len(fitting) == 1 else None


def fitting_layouts(actor: User | None, table: Table) -> list[CsvLayout]:
    """The saved layouts made for files with these columns. `actor`: None for the command line."""
    saved = CsvLayout.objects.all() if actor is None else CsvLayout.visible_to(actor)
    return [one for one in saved.order_by("name", "pk") if fits(Layout.from_json(one.mapping), table)]


def import_chosen(
    *, actor: User | None, data: bytes, choices: Choices, accept_gap: bool, now: datetime
) -> list[Imported]:
    """Import a file as a person chose to read it, and save the layout when they named it; all or nothing.

    Args: actor: who imports, None for the command line. accept_gap: keep statements that do not tie.
    Returns: one Imported per statement; a file imported twice adds nothing.
    Raises: Forbidden; Invalid `account_not_chosen`, what the reader and `keep_statements` refuse; Conflict
        `statement_gap`.
    """
    if actor is not None:
        require(actor, "bank.import")
    parsed = read_chosen(data, choices)
    if unknown := numbers_to_explain(parsed):
        raise Invalid(
            "account_not_chosen",
            _("The file calls the account “%(number)s”: say which account of the host it is. Nothing was imported.")
            % {"number": unknown[0] or "?"},
            param="file",
        )
    with transaction.atomic():
        kept = keep_statements(actor=actor, parsed=parsed, accept_gap=accept_gap, now=now)
        if choices.save_as and choices.layout:
            account = HostBankAccount.objects.get(iban=parsed[0].account)
            save_layout(actor=actor, account=account, name=choices.save_as, layout=choices.layout, now=now)
    return kept


def save_layout(*, actor: User | None, account: HostBankAccount, name: str, layout: Layout, now: datetime) -> CsvLayout:
    """Save a layout for the next files of an account; the one of the same name is replaced.

    Raises: Forbidden.
    """
    if actor is not None:
        require(actor, "bank.import")
    saved, created = CsvLayout.objects.update_or_create(
        account=account, name=name, defaults={"mapping": layout.to_json()}, create_defaults={
            "id": new_id("lay"), "mapping": layout.to_json(),
        },
    )  # fmt: skip
    record("csv_layout.saved", actor=actor, subject=saved.pk, now=now, created=created)
    return saved


def forget_layout(*, actor: User, layout_id: str, now: datetime) -> None:
    """Remove a saved layout; what was imported with it stays.

    Raises: Forbidden; NotFound `csv_layout_not_found`.
    """
    require(actor, "bank.import")
    layout = CsvLayout.visible_to(actor).filter(pk=layout_id).first()
    if layout is None:
        raise NotFound("csv_layout_not_found", _("There is no such saved layout."))
    layout.delete()
    record("csv_layout.forgotten", actor=actor, subject=layout_id, now=now)
