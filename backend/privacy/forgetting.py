"""The erasure itself, table by table: what names a person goes, what they did stays under a pseudonym.

The ledger, its seals and the exports of the books hold ids alone and do not move. The names under which a person was
booked stay sealed in the archive of the accounts (payees.BookedName), payment files and bank lines with the supporting
documents of the accounts: ten years after the fiscal year (Code de commerce, L123-22; GDPR, article 17(3)(b)).
"""

import secrets
from datetime import datetime
from email.utils import parseaddr
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import connection
from django.db.models import F, Func, Q, QuerySet, TextField, Value
from django.db.models.functions import Left, Lower
from django.utils import translation
from django.utils.translation import gettext as _

from backend.commons.models import Commons, Moderation
from backend.contributions.models import Adjustment, Contribution, ForgeDelivery, ForgePerson, Import
from backend.core.crypto import destroy_key
from backend.core.models import IdempotencyRecord
from backend.distributions.models import ArbitrationLine
from backend.documents.services import forget as forget_papers
from backend.events.services import record
from backend.identity.models import (
    ApiToken,
    KnownDevice,
    Offer,
    Organisation,
    PersonMerge,
    Proposal,
    Recording,
    Role,
    SpendingLimit,
    User,
)
from backend.identity.services import withdraw_role
from backend.identity.sessions import end_sessions
from backend.notifications.models import OutgoingMail
from backend.payees.models import Payee
from backend.payments.models import HelloAssoImport
from backend.payouts.models import Payout
from backend.pledges.donations import donors_of
from backend.pledges.forgetting import forget_pledges
from backend.pledges.models import Pledge
from backend.privacy.donors import forget_with_mail
from backend.privacy.export import addresses_of
from backend.privacy.models import Erasure, Former
from backend.privacy.receipts import forget_receipts

ERASED_DOMAIN = "erased.invalid"  # reserved by RFC 2606: no mail can ever reach it
SHORTEST_NAME = 4  # a shorter name is also a piece of other words: it is not looked for in texts


def pseudonym(user: User) -> str:
    """What is shown instead of the name of an erased person, in the language of the instance."""
    with translation.override(settings.LANGUAGE_CODE):
        return _("Former contributor %(tail)s") % {"tail": user.pk[-4:]}


def forget(user: User, *, now: datetime) -> None:
    """Erase what names this person. The caller holds the lock of their row and has checked that nothing hinders it."""
    names = _names(user)
    addresses = _addresses(user)
    shown = pseudonym(user)
    _deliveries([*addresses, *ForgePerson.objects.filter(user=user).values_list("address", flat=True)])
    _appeals(addresses)
    _proposed(user, addresses, shown, now)
    forget_with_mail([donor.pk for donor in donors_of(user)], now=now)  # found by addresses that go below
    forget_pledges(user, now=now)
    forget_papers(subjects=[user.pk], now=now)  # certificates of their time
    forget_receipts(Pledge.objects.filter(person=user), now=now)
    _close_doors(user, now)
    _payee(user, shown, now)
    _texts(user, [*addresses, *names], shown)
    _mails(addresses, [name for name in names if not _borne_by_others(name, user)], shown)
    _at(Organisation, "email", addresses).update(email="")
    Recording.objects.filter(Q(asked=user) | Q(on_behalf_of=user.pk)).update(address_hint="", address_index="")
    PersonMerge.objects.filter(Q(kept=user) | Q(other=user)).update(address="")
    PersonMerge.objects.filter(kept=user, state="awaited").update(state="withdrawn", ended_at=now)
    IdempotencyRecord.objects.filter(scope__contains=user.pk).delete()
    user.name, user.public_name = shown, ""
    user.email = f"{secrets.token_hex(16)}@{ERASED_DOMAIN}"
    user.is_active, user.last_login = False, None
    user.set_unusable_password()
    user.save()
    with translation.override(settings.LANGUAGE_CODE):
        Erasure.objects.filter(user=user).exclude(reason="").update(reason=_("Erased with the account."))
    Former.objects.filter(user=user).delete()  # last: every change above notes what it replaced


def _names(user: User) -> list[str]:
    """What the person is and was called, the longest first; a single word also in capitals."""
    former = Former.objects.filter(user=user, kind="name").values_list("text", flat=True)
    known = {user.name, user.public_name, *_payee_names(user), *former}
    found = {name for name in known if len(name) >= SHORTEST_NAME}
    return sorted(found | {name.upper() for name in found if " " not in name}, key=len, reverse=True)


def _addresses(user: User) -> list[str]:
    """The addresses that are and were theirs, in lower case; one that somebody else has now is that person's."""
    present = [address.lower() for address in addresses_of(user)]
    former = set(Former.objects.filter(user=user, kind="email").values_list("text", flat=True)) - set(present)
    taken = {
        *User.objects.filter(email__in=former).exclude(pk=user.pk).values_list("email", flat=True),
        *_at(EmailAddress, "email", sorted(former)).exclude(user=user).values_list("at", flat=True),
    }
    return [*present, *sorted(former - taken)]


def _at(model: Any, column: str, addresses: list[str]) -> "QuerySet[Any]":
    """The rows that hold one of these addresses, whatever its case."""
    return model._default_manager.annotate(at=Lower(column)).filter(at__in=addresses)  # type: ignore[no-any-return]


def _deliveries(addresses: list[str]) -> None:
    """What forges told under these addresses, and is still kept, is emptied: no draft can be made of it any more."""
    known = [address.encode() for address in addresses]
    for row in ForgeDelivery.objects.exclude(body=b"").order_by("pk").iterator(chunk_size=20):
        told = bytes(row.body).lower()
        if any(address in told for address in known):
            ForgeDelivery.objects.filter(pk=row.pk).update(body=b"")


def _appeals(addresses: list[str]) -> None:
    """Where the public objects to what was withdrawn: to the host, when the one who read there goes."""
    host = parseaddr(settings.LEGAL_CONTACT)[1]
    if "@" not in host or host.lower() in addresses:
        host = parseaddr(settings.DEFAULT_FROM_EMAIL)[1]
    for model in (Commons, Moderation):
        _at(model, "appeal_to", addresses).update(appeal_to=host)


def _proposed(user: User, addresses: list[str], shown: str, now: datetime) -> None:
    """The commons they proposed: what waits is taken back, and what never opened keeps none of their words."""
    for waiting in Commons.objects.select_for_update(no_key=True).filter(proposed_by=user, state="proposed"):
        Commons.objects.filter(pk=waiting.pk).update(state="withdrawn")
        record(
            "commons.withdrawn", actor=None, subject=waiting.pk, now=now, scopes=[waiting.pk],
            before={"state": "proposed"}, after={"state": "withdrawn"},
        )  # fmt: skip
    with translation.override(settings.LANGUAGE_CODE):
        blank = {"name": _("Erased proposal"), "summary": "", "why": "", "website": "", "licence": ""}
    Commons.objects.filter(proposed_by=user, state__in=["refused", "withdrawn"]).update(
        **blank, steward_name="", steward_email=""
    )
    # Named by somebody else: a name without an address, so that nobody is made steward in their place unseen.
    _at(Commons, "steward_email", addresses).update(steward_email="", steward_name=shown[:120])


def _payee_names(user: User) -> set[str]:
    payouts = Payout.objects.filter(payee__user=user).values_list("name", flat=True)
    theirs = Payee.objects.filter(user=user).values_list("name", "legal_name")
    return {*payouts, *(name for names in theirs for name in names)}


def _borne_by_others(name: str, user: User) -> bool:
    """Whether others have this name too, a namesake or a cooperative paid for several: it stays theirs."""
    payees = Payee.objects.filter(Q(name=name) | Q(legal_name=name)).exclude(user=user)
    return payees.exists() or User.objects.filter(Q(name=name) | Q(public_name=name)).exclude(pk=user.pk).exists()


def _close_doors(user: User, now: datetime) -> None:
    """Sessions, second factors, devices, tokens, roles and limits end; nothing opens the account any more."""
    end_sessions(actor=None, user=user, now=now)
    for rows in (Authenticator, KnownDevice, ApiToken, SpendingLimit, EmailAddress, Offer, ForgePerson):
        rows._default_manager.filter(user=user).delete()
    for proposal in Proposal.objects.filter(subject=user.pk, state="proposed"):
        Proposal.objects.filter(pk=proposal.pk).update(state="withdrawn", decided_at=now)
        record(
            "proposal.withdrawn", actor=None, subject=proposal.pk, now=now, scopes=[user.pk], kind_of=proposal.kind,
            before={"state": "proposed"}, after={"state": "withdrawn"},
        )  # fmt: skip
    for role in list(Role.objects.filter(user=user).order_by("pk")):
        withdraw_role(user=user, kind=role.kind, scope=role.scope, actor=None, now=now)


def _payee(user: User, shown: str, now: datetime) -> None:
    """The name and the account on which they were paid; their key goes, and with it what it sealed in every copy."""
    Payee.objects.filter(user=user).update(
        name=shown[:70], legal_name="", siren="", rna="", vat_status="unknown", vat_number="", invoice_prefix="",
        address_sealed="", iban_sealed="", iban_index="", iban_hint="",
    )  # fmt: skip
    Payout.objects.filter(payee__user=user).update(name=shown[:70], iban_hint="")
    destroy_key(user.pk, now)


def _texts(user: User, words: list[str], shown: str) -> None:
    """What they wrote is kept as work; their own names and addresses inside it go."""
    told = ("note", "contested_reason", "retracted_reason")
    for model, who, columns in (
        (Contribution, "contributor", ("description", "over_cap_reason")),
        (Import, "made_by", ("file_name",)),
        (HelloAssoImport, "made_by", ("file_name",)),
        (ArbitrationLine, "person", ("answer_reason",)),
        (Adjustment, "contributor", ("reason", "decision")),
        (Adjustment, "proposed_by", ("reason",)),
        (Adjustment, "decided_by", ("decision",)),
        (Recording, "asked", told),
        (Recording, "on_behalf_of", told),
        (Recording, "recorded_by", told),
        (Commons, "proposed_by", ("name", "summary", "why", "steward_name", "reason")),
    ):
        for column in columns:
            rows = model._default_manager.filter(**{who: user.pk}).exclude(**{column: ""})
            _replace(rows, column, words, shown)
    with connection.cursor() as cursor:  # the application may not change a review: PostgreSQL does this alone
        for word in words:
            cursor.execute("SELECT privacy_forget_in_reviews(%s, %s, %s)", [user.pk, word, shown])


def _mails(addresses: list[str], names: list[str], shown: str) -> None:
    """Mail to them goes, at former addresses too; in what was written to others, their names are replaced."""
    _at(OutgoingMail, "recipient", addresses).delete()
    for column in ("subject", "body"):
        _replace(OutgoingMail.objects.all(), column, [*addresses, *names], shown)


def _replace(rows: "QuerySet[Any]", column: str, words: list[str], shown: str) -> None:
    """Write `shown` for each of these words in a column (see `privacy_without`), cut at what the column takes."""
    longest = rows.model._meta.get_field(column).max_length
    for word in words:
        found = rows.filter(**{f"{column}__icontains": word})
        text = Func(F(column), Value(word), Value(shown), function="privacy_without", output_field=TextField())
        found.update(**{column: Left(text, longest) if longest else text})
