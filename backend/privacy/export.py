"""What a person may take away: everything this instance keeps about them, as JSON and as CSV in one archive."""

import csv
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from allauth.account.models import EmailAddress
from django.apps import apps
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Forbidden
from backend.documents.models import Document
from backend.events.services import record
from backend.identity.models import Organisation, Role, User
from backend.payees.models import Payee
from backend.payees.services import address_of, booked_names, open_iban
from backend.pledges.models import Pledge
from backend.privacy.parts import ACTS, PARTS, Part

_RUN_BY_SPREADSHEETS = ("=", "+", "-", "@", "\t", "\0")
README = """\
Ce que cette instance de Tronc garde sur une personne.

data.json   tout, par sorte ; les montants sont dans la plus petite unité de leur monnaie (le centime pour l’euro), les
            moments en temps universel.
*.csv       la même chose, un fichier par sorte qui a quelque chose à dire, pour un tableur.

Les secrets n’y sont pas : mots de passe, clés des seconds facteurs et textes des jetons ne sont gardés qu’en empreintes
ou scellés.

----

What this instance of Tronc keeps about one person.

data.json   everything, grouped by kind; amounts are in the smallest unit of their currency (cents for the euro),
            moments are in UTC.
*.csv       the same, one file for each kind that has something to say, for a spreadsheet.

Secrets are not here: passwords, keys of second factors and texts of API tokens are kept as fingerprints or sealed.
"""


@dataclass(frozen=True)
class Archive:
    """An export that is ready: its name, its bytes, and how many rows of each kind it holds."""

    name: str
    data: bytes
    rows: dict[str, int]


def export_personal(*, actor: User, now: datetime) -> Archive:
    """Everything kept about the person who asks, in one ZIP, made here and now: one person is small.

    Their own IBAN is in it in full: the caller has asked for a fresh factor. Nobody exports somebody else's.
    Raises: Forbidden `not_allowed` when the account is closed.
    """
    if not actor.is_active:
        raise Forbidden("not_allowed", _("This account is closed. Nothing was changed."))
    counts: dict[str, int] = {}
    whole: dict[str, Any] = {"exported_at": now.isoformat(), "person": actor.pk}
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("README.txt", README)
        for name, rows in gathered(actor).items():
            counts[name] = len(rows)
            whole[name] = rows
            if rows:
                archive.writestr(f"{name}.csv", "".join(_csv(rows)))
        archive.writestr("data.json", json.dumps(whole, ensure_ascii=False, indent=1))
    record("personal.exported", actor=actor, subject=actor.pk, now=now, scopes=[actor.pk])
    return Archive(f"tronc-{actor.pk}-{now:%Y%m%d}.zip", file.getvalue(), counts)


def gathered(user: User) -> dict[str, list[dict[str, Any]]]:
    """Kind of data → its rows about a person, JSON-ready; what is empty is there too, so that it can be seen."""
    found = {name: [_plain(row) for row in rows_of(part, user)] for name, part in PARTS.items()}
    return {"account": found.pop("account"), **found, **{name: make(user) for name, make in MADE.items()}}


def rows_of(part: Part, user: User) -> Iterator[dict[str, Any]]:
    """The rows of one model about a person, oldest first, with the columns that the table names."""
    model = apps.get_model(part.model)
    addresses = addresses_of(user) if part.by_address else []
    mine = Q()
    for path in part.who:
        mine |= Q(**{f"{path}__in": addresses}) if part.by_address else Q(**{path: user.pk})
    yield from model._default_manager.filter(mine, **part.only).order_by("pk").values(*part.columns)


def _payee(user: User) -> list[dict[str, Any]]:
    """Who is paid for their work, with the IBAN in full and the names that the accounts keep."""
    payees = list(Payee.objects.filter(user=user).order_by("pk"))
    names = booked_names([payee.pk for payee in payees])
    return [
        {
            "id": payee.pk,
            "kind": payee.kind,
            "name": payee.name,
            **{name: getattr(payee, name) for name in ("legal_name", "siren", "rna", "vat_status", "vat_number")},
            "address": asdict(address_of(payee)),
            "is_default": payee.is_default,
            "iban": open_iban(payee) if payee.iban_sealed else "",
            "iban_edited_by": payee.iban_edited_by_id,
            "iban_edited_at": _value(payee.iban_edited_at),
            "mandate_at": _value(payee.mandate_at),
            "invoice_prefix": payee.invoice_prefix,
            "last_invoice": payee.last_invoice,
            "usable_from": _value(payee.usable_from),
            "blocked_at": _value(payee.blocked_at),
            "closed_at": _value(payee.closed_at),
            "created_at": _value(payee.created_at),
            "names_in_the_accounts": [
                {"since": _value(since), "name": name} for since, name in names.get(payee.pk, [])
            ],
        }
        for payee in payees
    ]


def _organisations(user: User) -> list[dict[str, Any]]:
    """Those in which the person has a role."""
    scopes = Role.objects.filter(user=user, scope__startswith="org_").values("scope")
    rows = Organisation.objects.filter(pk__in=scopes).order_by("pk").values("id", "name", "kind", "siren")
    return [dict(row) for row in rows]


def _acts(user: User) -> list[dict[str, Any]]:
    """What the person did in a role: which thing, and which part they had in it."""
    found = []
    for label, columns in ACTS.items():
        for column in columns:
            rows = apps.get_model(label)._default_manager.filter(**{column: user.pk}).order_by("pk")
            found += [{"thing": label, "id": str(key), "as": column} for key in rows.values_list("pk", flat=True)]
    return found


def _papers_of_gifts(user: User) -> list[dict[str, Any]]:
    """Those that called for gifts which the person took into their account: they name nobody's account themselves."""
    groups = Pledge.objects.filter(donor__claimed_by=user).values("group")
    rows = Document.objects.filter(subject__in=groups, organisation=None, person=None).order_by("pk")
    columns = ("id", "kind", "label", "subject", "language", "currency", "total", "due_on", "issued_on")
    return [_plain(row) for row in rows.values(*columns)]


# What a list of columns cannot say.
MADE: dict[str, Callable[[User], list[dict[str, Any]]]] = {
    "payee": _payee,
    "organisations": _organisations,
    "acts": _acts,
    "documents_of_gifts": _papers_of_gifts,
}


def addresses_of(user: User) -> list[str]:
    """Every address that is or was waiting to be the person's, the main one first."""
    others = EmailAddress.objects.filter(user=user).exclude(email=user.email).order_by("pk")
    return [user.email, *others.values_list("email", flat=True)]


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name.replace("__", "_"): _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    return value.isoformat() if isinstance(value, (date, datetime)) else value


def _csv(rows: list[dict[str, Any]]) -> Iterator[str]:
    """The rows as a spreadsheet reads them without running any."""
    columns = list(rows[0])
    yield _line(columns)
    for row in rows:
        yield _line([_cell(row[column]) for column in columns])


def _cell(value: Any) -> Any:
    if isinstance(value, (dict, list)):
        value = json.dumps(value, ensure_ascii=False)
    if isinstance(value, str) and value.startswith(_RUN_BY_SPREADSHEETS):
        return f"'{value}"
    return value


def _line(cells: list[Any]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
