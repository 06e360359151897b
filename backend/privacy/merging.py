"""Two accounts of one person become one: what stands in the way, what goes over, and what stays where it was booked."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.contributions.following import UNDER_WAY, follow_merge, hold_work, said_of_each_other, said_twice
from backend.contributions.models import Adjustment, Contribution, ForgePerson, Objection
from backend.core.errors import Conflict
from backend.distributions.models import Arbitration, ArbitrationLine, Distribution, DistributionObjection
from backend.events.services import record
from backend.identity.merges import end, merge_of, not_found, over
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
from backend.identity.permissions import require
from backend.identity.roles import lock_roles
from backend.identity.services import withdraw_role
from backend.identity.sessions import end_sessions
from backend.payouts.models import PayoutBatch
from backend.pledges.models import Pledge
from backend.privacy.hindrances import is_owed, only_holder
from backend.privacy.models import Erasure
from backend.transfers.models import Opening, Transfer, YearEnd

HOST_ROLES = ("treasurer", "auditor", "administrator")
# What one person began and another one ends: (model, who began it, what says that it waits).
BEGUN: tuple[tuple[Any, str, dict[str, Any]], ...] = (
    (Adjustment, "proposed_by", {"state": "proposed"}),
    (Distribution, "prepared_by", {"state__in": ["frozen", "published"]}),
    (Arbitration, "entered_by", {"state": "waiting"}),
    (PayoutBatch, "prepared_by", {"state": "prepared"}),
    (PayoutBatch, "approved_by", {"state": "prepared"}),  # a third person must sign it too
    (Transfer, "proposed_by", {"state": "proposed"}),
    (Opening, "proposed_by", {"state": "proposed"}),
    (YearEnd, "proposed_by", {"state": "proposed"}),
    (Proposal, "proposed_by", {"state": "proposed"}),
)


@dataclass(frozen=True)
class Going:
    """What a merge does with an account that ends: how much work under way goes over, and the roles that do not."""

    work: int
    drafts: int
    roles: list[dict[str, str]]


def going(other: User) -> Going:
    """What there is of an account that would end."""
    rows = Contribution.objects.filter(contributor=other)
    roles = list(Role.objects.filter(user=other).order_by("kind", "pk"))
    scopes = [role.scope for role in roles]
    names = {row.pk: row.name for row in Organisation.objects.filter(pk__in=scopes)}
    names |= {row.pk: row.full_name for row in Budget.objects.select_related("commons").filter(pk__in=scopes)}
    return Going(
        work=rows.filter(state__in=UNDER_WAY[1:]).count(),
        drafts=rows.filter(state="draft").count(),
        roles=[{"kind": role.get_kind_display(), "scope": names.get(role.scope, "")} for role in roles],
    )


def merge_hindrances(keep: User, other: User) -> Iterator[Conflict]:
    """Why two accounts cannot be one now, each with what to do first; nothing when nothing stands in the way.

    The codes: those of `_of_each_other`, `_of_money` and `_of_roles`.
    """
    yield from _of_each_other(keep, other)
    yield from _of_money(other)
    yield from _of_roles(other)
    if Erasure.objects.filter(user__in=[keep.pk, other.pk], withdrawn_at=None, done_at=None).exists():
        yield Conflict("merge_erasure_waits", _("One of the two accounts is about to be erased: stop that first."))


def _of_each_other(keep: User, other: User) -> Iterator[Conflict]:
    """Nobody reviews their own work, nor ends what they began: it must not have happened by two accounts."""
    own = said_of_each_other(keep, other)
    if own is not None:
        yield Conflict(
            "merge_own_review",
            _(
                "One of the two accounts reviewed, questioned, decided or recorded work of the other: “%(work)s”, of "
                "%(day)s. Nobody does that of their own. Speak with a treasurer of the host."
            )
            % _told(own),
        )
    twice = said_twice(keep, other)
    if twice is not None:
        yield Conflict(
            "merge_reviewed_twice",
            _(
                "Both accounts reviewed the same work, which is not shared yet: “%(work)s”, of %(day)s. Wait until its "
                "period is closed, or have it amended: reviews begin again then."
            )
            % _told(twice),
        )
    standing = DistributionObjection.objects.filter(objector=other, state__in=DistributionObjection.STANDING)
    if Objection.objects.filter(objector=other, state="open").exists() or standing.exists():
        yield Conflict(
            "merge_objection_open",
            _("An objection that the account that ends raised is open: lift it, or wait until it is decided."),
        )
    if any(model.objects.filter(**{who: other}, **waits).exists() for model, who, waits in BEGUN):
        yield Conflict(
            "merge_begun",
            _("The account that ends began something that a second person must decide: wait until they have."),
        )


def _told(work: Contribution) -> dict[str, str]:
    return {"work": work.description, "day": work.worked_on.isoformat()}


def _of_money(other: User) -> Iterator[Conflict]:
    """What is booked stays on the account it was booked for, so nothing of it may still be under way."""
    included = Contribution.objects.filter(contributor=other, state="included").exists()
    if included or ArbitrationLine.objects.filter(person=other, arbitration__state="waiting").exists():
        yield Conflict(
            "merge_being_shared",
            _("Work of the account that ends is in a distribution: wait until that one is approved and paid."),
        )
    if is_owed(other):
        yield Conflict(
            "merge_money_owed",
            _(
                "Money is owed to the account that ends, or on its way. Wait until it is paid and seen on the bank’s "
                "statement."
            ),
        )
    if Contribution.objects.filter(contributor=other, state__in=UNDER_WAY, corrects__isnull=False).exists():
        yield Conflict(
            "merge_correction_waits",
            _(
                "The account that ends declared something forgotten in work shared out: withdraw it, or wait until "
                "its period is paid."
            ),
        )
    left = Q(state="proposed") | Q(state="agreed") & (Q(minutes_left__gt=0) | Q(amount_left__gt=0))
    if Adjustment.objects.filter(left, contributor=other).exists():
        yield Conflict(
            "merge_kept_back",
            _(
                "Too much was given to the account that ends, which is to be kept back from its later work. Ask from "
                "that account instead: it is then the one that stays."
            ),
        )
    if Pledge.objects.filter(Q(person=other) | Q(donor__claimed_by=other), state__in=["draft", "active"]).exists():
        yield Conflict(
            "merge_pledge_awaited",
            _("A gift promised by the account that ends is awaited: pay it or cancel it first."),
        )


def _of_roles(other: User) -> Iterator[Conflict]:
    """Roles do not go over: none may be lost that the host, a budget or an organisation needs."""
    proposed = Proposal.objects.filter(subject=other.pk, state="proposed").exists()
    if proposed or Role.objects.filter(user=other, kind__in=HOST_ROLES).exists():
        yield Conflict(
            "merge_host_role",
            _(
                "The account that ends is, or is about to be, treasurer, auditor or administrator. Ask from that "
                "account instead: it is then the one that stays. Or have the role withdrawn first."
            ),
        )
        return
    for alone in only_holder(other):
        yield Conflict("merge_only_holder", str(alone))


@transaction.atomic
def confirm_merge(*, actor: User, token: str, now: datetime) -> PersonMerge:
    """Make the actor's account one with the account that asked for it, which stays. Moves no money; cannot be undone.

    Args: token: of the link that was sent to the actor's address.
    Returns: the request, done; the actor is signed out everywhere and cannot sign in any more.
    Raises: Forbidden; NotFound `merge_not_found`; Conflict `merge_over`, `merge_other_account`, `merge_busy`, those of
        `merge_hindrances`.
    """
    require(actor, "person.merge")
    asked = merge_to_confirm(actor=actor, token=token, now=now)
    lock_roles()
    # In the order of their keys: two merges that cross each other are one after the other.
    people = User.objects.select_for_update().filter(pk__in=[asked.kept_id, asked.other_id]).order_by("pk")
    accounts = {one.pk: one for one in people}
    asked = PersonMerge.objects.select_for_update().get(pk=asked.pk)
    keep, other = accounts[asked.kept_id], accounts[actor.pk]
    if not asked.awaits(now) or not keep.is_active or not other.is_active:
        raise over()
    hold_work(other)
    for hindrance in merge_hindrances(keep, other):
        raise hindrance
    _merge(asked, keep, other, now)
    return asked


def merge_to_confirm(*, actor: User, token: str, now: datetime) -> PersonMerge:
    """The request of a link, for the account it was sent to.

    Raises: NotFound `merge_not_found`, also for anybody else; Conflict `merge_other_account` for whoever asked.
    """
    asked = merge_of(token, now=now)
    if asked.kept_id == actor.pk:
        raise Conflict(
            "merge_other_account",
            _(
                "You are signed in with the account that stays. Sign out, sign in with the other account, and open "
                "the link again: both must be yours."
            ),
        )
    if asked.other_id != actor.pk:
        raise not_found()
    return asked


def _merge(asked: PersonMerge, keep: User, other: User, now: datetime) -> None:
    """Do it; the caller holds both accounts and the work, and has checked what stands in the way."""
    other.is_active, other.merged_into = False, keep
    other.email = f"{other.pk}@{User.NO_ADDRESS}".lower()  # their addresses are of the account that stays
    other.set_unusable_password()
    other.save()
    User.objects.filter(merged_into=other).update(merged_into=keep)
    work, budgets = follow_merge(other, keep, now=now)
    unanswered = Recording.objects.filter(confirmed_at=None, contested_at=None, retracted_at=None)
    unanswered.filter(asked=other).exclude(recorded_by=keep).update(asked=keep)
    _move_addresses(keep, other)
    _close(other, now)
    for row in PersonMerge.objects.filter(kept=other, state="awaited"):
        end(row, "withdrawn", now)
    end(asked, "merged", now)
    record(
        "person.merged", actor=other, subject=other.pk, now=now, scopes=[keep.pk, other.pk, *budgets],
        before={"merged_into": None}, after={"merged_into": keep.pk}, merge=asked.pk, work=work,
    )  # fmt: skip


def _move_addresses(keep: User, other: User) -> None:
    """The confirmed addresses, and those of commits, are of the account that stays: mail and commits find it."""
    proven = EmailAddress.objects.filter(user=other, verified=True)
    known = [address.lower() for address in proven.values_list("email", flat=True)]
    EmailAddress.objects.filter(user=keep, verified=False, email__in=known).delete()
    proven.update(user=keep, primary=False)
    EmailAddress.objects.filter(user=other).delete()
    ForgePerson.objects.filter(user=other).update(user=keep)


def _close(other: User, now: datetime) -> None:
    """Nobody signs in any more; roles end, which those who decide of them may give to the account that stays."""
    end_sessions(actor=None, user=other, now=now)
    for rows in (Authenticator, KnownDevice, SpendingLimit, Offer):
        rows._default_manager.filter(user=other).delete()
    ApiToken.objects.filter(user=other, revoked_at=None).update(revoked_at=now)
    for role in list(Role.objects.filter(user=other).order_by("pk")):
        withdraw_role(user=other, kind=role.kind, scope=role.scope, actor=other, now=now)
