"""What the frame around every page needs: the host, the reader with their roles, the menu, the other languages."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.conf import settings
from django.db.models import F, Q
from django.http import HttpRequest
from django.urls import reverse, translate_url
from django.utils import timezone
from django.utils.http import escape_leading_slashes
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from backend.banking.models import BankLine
from backend.commons.models import Commons
from backend.contributions.models import Adjustment, Contribution
from backend.distributions.models import Distribution, Share, SupportingDocument
from backend.identity.models import Organisation, Proposal, Role, User
from backend.identity.offers import offers_to
from backend.identity.permissions import counting, dormant
from backend.ledger.services import Freeze, closings, frozen
from backend.notifications.services import comes_back
from backend.payments.models import Movement, ProviderRefund
from backend.payouts.models import PayoutBatch
from backend.transfers.models import Opening, Transfer
from backend.web import demo
from backend.web.acting import acting_for


@dataclass(frozen=True)
class Entry:
    """A line of the menu; `waiting` counts what awaits the reader there."""

    label: str
    url: str
    current: bool
    waiting: int = 0


class Reader:
    """The person reading, with what they are here; asks the database only for what a page uses."""

    def __init__(self, user: User) -> None:
        """Keep the person."""
        self.user = user

    @cached_property
    def roles(self) -> set[tuple[str, str]]:
        """(kind, scope) of each role."""
        return set(counting(self.user).values_list("kind", "scope"))

    @cached_property
    def kinds(self) -> set[str]:
        """The kinds of role held somewhere."""
        return {kind for kind, _scope in self.roles}

    @cached_property
    def dormant(self) -> list[str]:
        """The names of their roles that wait for a second factor."""
        asleep = dormant(self.user)
        return [str(label) for kind, label in Role.KINDS if kind in asleep]

    @cached_property
    def mail_comes_back(self) -> bool:
        """Whether what is written to their address comes back."""
        return comes_back(self.user, now=timezone.now())

    @cached_property
    def organisations(self) -> list[Organisation]:
        """Those they act for, by name."""
        scopes = [scope for kind, scope in self.roles if kind.startswith("organisation_")]
        return list(Organisation.objects.filter(pk__in=scopes).order_by("name")) if scopes else []

    @cached_property
    def offers(self) -> int:
        """How many organisations await their answer to an invitation."""
        return offers_to(self.user).count()

    @cached_property
    def to_review(self) -> int:
        """How many contributions and proposed corrections await their opinion as a steward."""
        scopes = [scope for kind, scope in self.roles if kind == "steward"]
        if not scopes:
            return 0
        corrections = Adjustment.objects.filter(
            Q(contribution__budget__in=scopes) | Q(contribution__budget__parent__in=scopes), state="proposed"
        ).exclude(proposed_by_id=self.user.pk)
        work = (
            Contribution.objects.filter(Q(budget__in=scopes) | Q(budget__parent__in=scopes), state="declared")
            .exclude(contributor_id=self.user.pk)
            .exclude(recorded_by_id=self.user.pk)
            .exclude(period__charter__document__review__mode="consent")
            .exclude(reviews__reviewer_id=self.user.pk, reviews__version=F("version"))
        )
        return work.count() + corrections.exclude(contributor_id=self.user.pk).count()

    @cached_property
    def to_decide(self) -> int:
        """How many proposals and proposed commons await a decision of theirs."""
        if not self.kinds & {"administrator", "treasurer"}:
            return 0
        waiting = Proposal.objects.filter(state="proposed").exclude(proposed_by_id=self.user.pk)
        commons = Commons.objects.filter(state="proposed").exclude(proposed_by_id=self.user.pk)
        return waiting.exclude(subject=self.user.pk).count() + commons.count()

    @cached_property
    def to_do(self) -> int:
        """How many things await a treasurer: to approve, to hand over, to pay, to identify."""
        if "treasurer" not in self.kinds:
            return 0
        mine = {"prepared_by_id": self.user.pk}
        signed = Q(approved_by__isnull=False, approved_by=self.user.pk)  # a third person is awaited
        batches = PayoutBatch.objects.filter(
            Q(state__in=["approved", "claimed"]) | (Q(state="prepared") & ~Q(**mine) & ~signed)
        )
        months = closings().filter(withdrawn_at=None, unlocked_at=None)
        to_lock = months.filter(locked_at=None).exclude(asked_by_id=self.user.pk)
        to_unlock = months.filter(unlock_asked_by__isnull=False).exclude(unlock_asked_by_id=self.user.pk)
        return (
            to_lock.count()
            + to_unlock.count()
            + Distribution.objects.filter(state="published").exclude(**mine).count()
            + batches.count()
            + Share.objects.filter(state__in=Share.READY, amount__gt=F("waived"), distribution__state="booked").count()
            + SupportingDocument.objects.filter(state="sent", share__state="documented").count()
            + BankLine.objects.filter(state__in=["suspect", "suggested"]).count()
            + Transfer.objects.filter(state="proposed").exclude(proposed_by_id=self.user.pk).count()
            + Opening.objects.filter(state="proposed").exclude(proposed_by_id=self.user.pk).count()
            + ProviderRefund.objects.filter(state="asked").exclude(asked_by_id=self.user.pk).count()
            + Movement.objects.filter(state="reported").count()
        )


def shell(request: HttpRequest) -> dict[str, Any]:
    """The variables of base.html: `host`, `reader` (None when nobody is signed in), `menu`, `languages`."""
    user = getattr(request, "user", None)
    reader = Reader(user) if user is not None and user.is_authenticated else None
    return {
        "host": getattr(request, "host_row", None),
        "reader": reader,
        "acting_for": acting_for(request, reader.organisations) if reader else None,
        "menu": menu(request, reader),
        "languages": languages(request),
        "demo": settings.DEMO,
        **demo.code(request),
        "payouts_frozen": _payouts_frozen(request, reader),
    }


def _payouts_frozen(request: HttpRequest, reader: Reader | None) -> Freeze | None:
    """The freeze in force, for treasurers on the pages of money out; others are not asked to worry."""
    match = request.resolver_match
    treasury = match is not None and match.func.__module__.endswith(".treasury")
    return frozen() if treasury and reader is not None and "treasurer" in reader.kinds else None


def languages(request: HttpRequest) -> list[dict[str, str]]:
    """The other languages, each with the address of this same page in it."""
    names = {"fr": "Français", "en": "English"}
    here = escape_leading_slashes(request.get_full_path())
    return [
        {"code": code, "name": names.get(code, code), "url": translate_url(here, code)}
        for code, _name in settings.LANGUAGES
        if code != get_language()
    ]


# The modules whose pages stand under the menu's line of the bank.
OF_THE_BANK = {
    "bank", "bank_inbox", "bank_acts", "bank_import", "statements", "clearing", "helloasso", "provider",
    "provider_money",
}  # fmt: skip


def menu(request: HttpRequest, reader: Reader | None) -> list[Entry]:
    """The lines of the menu that concern the reader, each role adding its own."""
    match = request.resolver_match
    section = match.func.__module__.rpartition(".")[2] if match else ""
    name = match.url_name if match else ""
    entries = [Entry(_("Commons"), reverse("home"), section == "public")]
    if reader is None:
        return entries
    kinds = reader.kinds
    if reader.organisations:
        alone = len(reader.organisations) == 1
        entries.append(
            Entry(
                _("My organisation") if alone else _("My organisations"),
                reverse("organisation_page", args=[reader.organisations[0].pk]) if alone else reverse("organisations"),
                section in {"organisations", "organisation_members", "acting"},
            )
        )
    if reader.organisations:
        entries.append(Entry(_("Papers"), reverse("documents"), section == "documents"))
    if kinds & {"contributor", "steward"}:
        entries.append(Entry(_("My work"), reverse("work"), section == "work"))
    if "steward" in kinds:
        entries.append(Entry(_("To review"), reverse("reviews"), section == "reviews", reader.to_review))
    money = bool(kinds & {"treasurer", "auditor"})
    if "treasurer" in kinds:
        entries.append(
            Entry(_("To do"), reverse("treasury"), name == "treasury" or section == "projection", reader.to_do)
        )
    if "administrator" in kinds:
        entries.append(Entry(_("Set-up"), reverse("setup"), section == "setup"))
    if money or kinds & {"contributor", "steward"}:
        entries.append(Entry(_("Periods"), reverse("periods"), section == "periods"))
        entries.append(Entry(_("Budgets"), reverse("transfers"), section == "transfers"))
    if money:
        papers = set() if reader.organisations else {"documents"}  # else they have a line of their own
        entries += [
            Entry(_("Payouts"), reverse("payouts"), section == "treasury" and name != "treasury"),
            Entry(_("Bank"), reverse("bank"), section in OF_THE_BANK),
            Entry(
                _("Books"),
                reverse("ledger"),
                section
                in {"books", "auditing", "closing_books", "year_ends", "yearly_reports", "months", "exports", *papers},
            ),
            Entry(_("Audit"), reverse("audit"), section == "audit"),
        ]
    if kinds & {"administrator", "treasurer", "auditor", "steward"}:
        section_of_people = section in {"people", "proposals", "host_settings", "commons_life", "moderation"}
        entries.append(Entry(_("People"), reverse("people"), section_of_people, reader.to_decide))
    return entries
