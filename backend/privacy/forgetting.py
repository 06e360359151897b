"""The erasure itself, table by table: what names a person goes, what they did stays under a pseudonym.

The ledger, its seals and the exports of the books hold ids alone and do not move. The names under which a person was
booked stay sealed in the archive of the accounts (payees.BookedName), payment files and bank lines with the supporting
documents of the accounts: ten years after the fiscal year (Code de commerce, L123-22; GDPR, article 17(3)(b)).
"""

import secrets
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import connection
from django.db.models import F, Q, QuerySet, Value
from django.db.models.functions import Left, Replace
from django.utils import translation
from django.utils.translation import gettext as _

from backend.commons.models import Commons
from backend.contributions.models import Contribution
from backend.core.crypto import destroy_key
from backend.core.models import IdempotencyRecord
from backend.distributions.models import ArbitrationLine
from backend.events.services import record
from backend.identity.models import ApiToken, KnownDevice, Organisation, Proposal, Recording, Role, SpendingLimit, User
from backend.identity.services import withdraw_role
from backend.identity.sessions import end_sessions
from backend.notifications.models import OutgoingMail
from backend.payees.models import Payee
from backend.payouts.models import Payout
from backend.privacy.export import addresses_of

ERASED_DOMAIN = "erased.invalid"  # reserved by RFC 2606: no mail can ever reach it
SHORTEST_NAME = 4  # a shorter name is also a piece of other words: it is not looked for in texts


def pseudonym(user: User) -> str:
    """What is shown instead of the name of an erased person, in the language of the instance."""
    with translation.override(settings.LANGUAGE_CODE):
        return _("Former contributor %(tail)s") % {"tail": user.pk[-4:]}


def forget(user: User, *, now: datetime) -> None:
    """Erase what names this person. The caller holds the lock of their row and has checked that nothing hinders it."""
    names = sorted({user.name, user.public_name, *_payee_names(user)} - {""}, key=len, reverse=True)
    addresses = addresses_of(user)
    shown = pseudonym(user)
    _close_doors(user, now)
    _payee(user, shown, now)
    _texts(user, [*addresses, *(name for name in names if len(name) >= SHORTEST_NAME)], shown)
    _mails(
        addresses, [name for name in names if len(name) >= SHORTEST_NAME and not _borne_by_others(name, user)], shown
    )
    Organisation.objects.filter(email__in=addresses).update(email="")
    Commons.objects.filter(steward_email__in=addresses).update(steward_email="", steward_name=shown[:120])
    Recording.objects.filter(Q(asked=user) | Q(on_behalf_of=user.pk)).update(address_hint="", address_index="")
    IdempotencyRecord.objects.filter(scope__contains=user.pk).delete()
    user.name, user.public_name = shown, ""
    user.email = f"{secrets.token_hex(16)}@{ERASED_DOMAIN}"
    user.is_active, user.last_login = False, None
    user.set_unusable_password()
    user.save()


def _payee_names(user: User) -> set[str]:
    payouts = Payout.objects.filter(payee__user=user).values_list("name", flat=True)
    return {*Payee.objects.filter(user=user).values_list("name", flat=True), *payouts}


def _borne_by_others(name: str, user: User) -> bool:
    """Whether others have this name too, a namesake or a cooperative paid for several: it stays theirs."""
    payees = Payee.objects.filter(name=name).exclude(user=user)
    return payees.exists() or User.objects.filter(Q(name=name) | Q(public_name=name)).exclude(pk=user.pk).exists()


def _close_doors(user: User, now: datetime) -> None:
    """Sessions, second factors, devices, tokens, roles and limits end; nothing opens the account any more."""
    end_sessions(actor=None, user=user, now=now)
    for rows in (Authenticator, KnownDevice, ApiToken, SpendingLimit, EmailAddress):
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
    Payee.objects.filter(user=user).update(name=shown[:70], iban_sealed="", iban_index="", iban_hint="")
    Payout.objects.filter(payee__user=user).update(name=shown[:70], iban_hint="")
    destroy_key(user.pk, now)


def _texts(user: User, words: list[str], shown: str) -> None:
    """What they wrote is kept as work; their own name and addresses inside it go."""
    for model, who, columns in (
        (Contribution, "contributor", ("description", "over_cap_reason")),
        (ArbitrationLine, "person", ("answer_reason",)),
        (Recording, "asked", ("note", "contested_reason")),
    ):
        for column in columns:
            rows = model._default_manager.filter(**{who: user.pk}).exclude(**{column: ""})
            _replace(rows, column, words, shown)
    with connection.cursor() as cursor:  # the application may not change a review: PostgreSQL does this alone
        for word in words:
            cursor.execute("SELECT privacy_forget_in_reviews(%s, %s, %s)", [user.pk, word, shown])


def _mails(addresses: list[str], names: list[str], shown: str) -> None:
    """Mail to them goes; in what was written to others, their name is replaced."""
    OutgoingMail.objects.filter(recipient__in=addresses).delete()
    for column in ("subject", "body"):
        _replace(OutgoingMail.objects.all(), column, [*addresses, *names], shown)


def _replace(rows: "QuerySet[Any]", column: str, words: list[str], shown: str) -> None:
    """Write `shown` for each of these words in a column, cut at what the column takes."""
    longest = rows.model._meta.get_field(column).max_length
    for word in words:
        found = rows.filter(**{f"{column}__contains": word})
        text = Replace(F(column), Value(word), Value(shown))
        found.update(**{column: Left(text, longest) if longest else text})
