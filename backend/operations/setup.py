"""What an administrator sets up once the host exists: its bank accounts, its commons and their envelopes."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget, Commons
from backend.commons.services import create_commons, open_envelope, root_budget
from backend.core.errors import Conflict, Invalid, NotFound
from backend.events.services import record
from backend.identity.inviting import Named, accepted, invite_person, person_named, require_apart
from backend.identity.models import Host, HostBankAccount, Role, User
from backend.identity.permissions import require
from backend.identity.services import add_bank_account, the_host
from backend.ledger.services import entry_count
from backend.transfers.models import Opening


@dataclass(frozen=True)
class Progress:
    """How far the first run is: who is awaited, what exists, what is still to be done."""

    host: Host
    administrators: list[User]
    treasurers: list[tuple[User, bool]]  # with whether they have accepted
    accounts: list[HostBankAccount]
    commons: list[tuple[Commons, list[tuple[User, bool]]]]  # with their stewards
    opening: Opening | None
    money_moved: bool

    @property
    def two_treasurers(self) -> bool:
        """Whether two people can act for money."""
        return sum(ready for _user, ready in self.treasurers) >= 2

    @property
    def opened(self) -> bool:
        """Whether the books have begun: with opening balances, or without any since money moved already."""
        return self.money_moved or (self.opening is not None and self.opening.state == "booked")

    @property
    def complete(self) -> bool:
        """Whether money can be pledged, received and paid; opening balances are only for those who have some."""
        return self.two_treasurers and bool(self.accounts) and bool(self.commons)


def progress(*, actor: User) -> Progress:
    """How far the first run is; raises Forbidden for who is neither administrator nor treasurer."""
    require(actor, "setup.see")
    host = the_host()

    def holders(kind: str, scope: str) -> list[User]:
        held = Role.objects.filter(kind=kind, scope=scope).values("user")
        return list(User.objects.filter(pk__in=held).order_by("name", "pk"))

    return Progress(
        host=host,
        administrators=holders("administrator", host.pk),
        treasurers=[(user, accepted(user)) for user in holders("treasurer", host.pk)],
        accounts=list(host.bank_accounts.order_by("pk")),
        commons=[
            (one, [(user, accepted(user)) for user in holders("steward", root_budget(one).pk)])
            for one in Commons.listed().order_by("created_at", "pk")
        ],
        opening=Opening.objects.exclude(state__in=["refused", "withdrawn"]).order_by("-pk").first(),
        money_moved=entry_count() > 0,
    )


def register_account(*, actor: User, name: str, iban: str, bic: str, currency: str, now: datetime) -> HostBankAccount:
    """Register a bank account of the host, before any money moved; the same one twice is one.

    Raises: Forbidden; Conflict `account_takes_two`; Invalid `iban_invalid`, `iban_known`, `bic_invalid`,
        `name_missing`.
    """
    require(actor, "setup.bank_account")
    name = " ".join(name.split())
    if not name or len(name) > 80:
        raise Invalid("name_missing", _("A name is missing, or it is too long."), param="name")
    if entry_count() > 0:
        raise Conflict(
            "account_takes_two",
            _(
                "Money has moved already: from then on a bank account is proposed by one person and accepted by "
                "another, on the page of the host. Nothing was changed."
            ),
        )
    try:
        with transaction.atomic():
            account = add_bank_account(host=the_host(), name=name, iban=iban, bic=bic, currency=currency)
            record("bank_account.added", actor=actor, subject=account.pk, now=now)
    except IntegrityError:
        twin = _twin(iban)
        if twin is None or (twin.name, twin.currency) != (name, currency):
            raise Invalid("iban_known", _("This IBAN is registered already."), param="iban") from None
        return twin
    return account


def _twin(iban: str) -> HostBankAccount | None:
    compact = "".join(sign for sign in iban if sign.isalnum()).upper()
    return HostBankAccount.objects.filter(iban=compact).first()


@transaction.atomic
def start_commons(
    *,
    actor: User,
    name: str,
    summary: str,
    currency: str,
    steward: Named,
    first_day: date,
    last_day: date,
    approvals: int,
    website: str,
    licence: str,
    now: datetime,
) -> Commons:
    """Create a commons and invite who takes care of it.

    Args: first_day, last_day: of its first period, both included. approvals: how many stewards validate a contribution.
    Raises: Forbidden; Invalid on what was typed; Conflict when the same name was taken in the meantime.
    """
    require(actor, "setup.commons")
    if last_day < first_day or last_day - first_day > timedelta(days=731):
        raise Invalid(
            "period_length", _("The last day comes after the first one, two years later at most."), param="last_day"
        )
    if not 1 <= approvals <= 9:
        raise Invalid("approvals_out_of_range", _("One approval at least, nine at most."), param="approvals")
    caring = person_named(steward, param="steward")
    require_apart(caring, "steward", param="steward_email")
    try:
        with transaction.atomic():
            commons = create_commons(
                name=name, summary=summary, currency=currency, steward=caring, first_day=first_day,
                end_before=last_day + timedelta(days=1), now=now, approvals=approvals, website=website, licence=licence,
            )  # fmt: skip
    except IntegrityError:
        raise Conflict("name_taken", _("Another commons took this name in the meantime."), param="name") from None
    # The commons is its steward's; that an administrator set it up is a fact of its own.
    record("commons.set_up", actor=actor, subject=commons.pk, now=now, scopes=[root_budget(commons).pk])
    invite_person(actor=actor, who=steward, kind="steward", scope=root_budget(commons).pk, now=now)
    return commons


def add_envelope(*, actor: User, slug: str, name: str, now: datetime, own_rules: bool = True) -> Budget:
    """Open an envelope below the common pot of a commons; the same name twice is refused.

    Args: own_rules: False lets it follow the rules and periods of the pot.
    Raises: Forbidden; NotFound `commons_not_found`; what `commons.services.open_envelope` refuses.
    """
    require(actor, "setup.commons")
    commons = Commons.objects.filter(slug=slug).first()
    if commons is None:
        raise NotFound("commons_not_found", _("There is no such commons."))
    return open_envelope(actor=actor, parent=root_budget(commons), name=name, now=now, own_rules=own_rules)
