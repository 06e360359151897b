"""What takes two people: one proposes with a reason, another decides on what they read; the decision is final.

Naming a treasurer is whole here. What else is proposed brings its own right and what acceptance does.
"""

import hashlib
import json
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from backend.core import crypto
from backend.core.errors import Conflict, DomainError, Forbidden, NotFound
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.inviting import Named, accepted, came_by_hand, person_named, require_apart, require_by_mail
from backend.identity.models import Proposal, Role, User
from backend.identity.permissions import holds, may, require
from backend.identity.roles import lock_roles, required_reason
from backend.identity.services import grant_role, the_host

TREASURER, SETTINGS, ACCOUNT = "role.treasurer", "host.settings", "host.bank_account"
PAYOUTS = "host.payouts"
# What is proposed → the rights to propose and to decide it.
RIGHTS = {
    TREASURER: ("role.propose_treasurer", "role.decide_treasurer"),
    SETTINGS: ("host.propose", "host.decide"),
    ACCOUNT: ("host.propose", "host.decide"),
    PAYOUTS: ("host.propose", "host.decide"),
}


@transaction.atomic
def propose_treasurer(*, actor: User, who: Named, reason: str, now: datetime) -> Proposal:
    """Propose a treasurer: nothing changes until another treasurer or administrator accepts.

    Raises: Forbidden `not_allowed`, `role_to_oneself`; Conflict `role_held`, `proposal_open`, `came_by_hand`; Invalid
        on what was typed, `administrator_as_treasurer`, `reason_missing`.
    """
    require(actor, "role.propose_treasurer")
    lock_roles()
    person = person_named(who)
    if person.pk == actor.pk:
        raise Forbidden(
            "role_to_oneself", _("Nobody gives a role to themselves: ask another person."),
            action="role.propose_treasurer",
        )  # fmt: skip
    require_apart(person, "treasurer", param="email")
    require_by_mail(person)
    if Role.objects.filter(user=person, kind="treasurer", scope=the_host().pk).exists():
        raise Conflict("role_held", _("This person has this role already."), param="email")
    return write(actor=actor, kind=TREASURER, subject=person.pk, payload={}, reason=reason, now=now)


def decide_treasurer(
    *, actor: User, proposal_id: str, accept: bool, digest: str, reason: str = "", now: datetime
) -> Proposal:
    """Accept or refuse a proposed treasurer, who is told by mail and can act once they have a second factor.

    Args: digest: of the proposal, as the page showed it. reason: needed for a refusal.
    Raises: what `decide` raises; Forbidden `proposal_about_you`; Invalid `administrator_as_treasurer`; Conflict
        `came_by_hand`.
    """

    def apply(proposal: Proposal) -> None:
        # Held: nobody reads the link of their invitation in the meantime.
        person = User.objects.select_for_update().get(pk=proposal.subject)
        require_apart(person, "treasurer", param="")
        require_by_mail(person)
        grant_role(
            user=person, kind="treasurer", scope=the_host().pk, granted_by=actor, now=now, why=proposal.reason,
            told=True,
        )  # fmt: skip
        proposal.applied_at = now

    return decide(
        actor=actor, proposal_id=proposal_id, kind=TREASURER, accept=accept, digest=digest, reason=reason, now=now,
        apply=apply,
    )  # fmt: skip


# --- what all proposals share -----------------------------------------------------------------------------------------


def write(
    *, actor: User, kind: str, subject: str, payload: Mapping[str, Any], reason: str, now: datetime, iban: str = ""
) -> Proposal:
    """Write a proposal down. The caller checked the right and what is proposed, in a transaction.

    Args: payload: what changes, JSON-ready, without secrets. iban: kept sealed until the decision applies.
    Raises: Invalid `reason_missing`; Conflict `proposal_open` when the same thing awaits a decision already.
    """
    why, key = required_reason(reason), new_id("prp")
    try:
        with transaction.atomic():
            proposal = Proposal.objects.create(
                id=key, kind=kind, subject=subject, payload=dict(payload), reason=why, proposed_by=actor,
                iban_sealed=crypto.encrypt(iban, bound_to=key) if iban else "",
                digest=digest_of(kind, subject, payload, iban), proposed_at=now,
            )  # fmt: skip
    except IntegrityError:
        raise Conflict(
            "proposal_open", _("The same thing awaits a decision already: it is decided or taken back first.")
        ) from None
    record("proposal.made", actor=actor, subject=key, now=now, scopes=[subject], why=why, kind_of=kind)
    return proposal


def decide(
    *,
    actor: User,
    proposal_id: str,
    kind: str,
    accept: bool,
    digest: str,
    reason: str,
    now: datetime,
    apply: Callable[[Proposal], None],
) -> Proposal:
    """Accept a proposal and do what it says, or refuse it with a reason; all or nothing.

    Args: digest: of the proposal, as the page showed it. apply: does what is proposed, under the lock of the row.
    Raises: Forbidden `not_allowed`, `own_proposal`, `proposal_about_you`; NotFound `proposal_not_found`; Conflict
        `proposal_decided`, `proposal_changed`, `proposer_without_right`; Invalid `reason_missing` for a refusal.
    """
    require(actor, RIGHTS[kind][1])
    with transaction.atomic():
        lock_roles()
        proposal = locked(proposal_id, kind)
        require_decidable(actor, proposal, accept=accept)
        if digest != proposal.digest or not intact(proposal):
            raise Conflict("proposal_changed", _("This is not what was shown to you: read it again, then decide."))
        proposal.state = "accepted" if accept else "refused"
        proposal.decided_by, proposal.decided_at = actor, now
        proposal.decision_reason = "" if accept and not reason.strip() else required_reason(reason)
        if accept:
            proposal.save()  # PostgreSQL lets nothing apply before it is accepted
            apply(proposal)
        if proposal.applied_at or not accept:
            proposal.iban_sealed = ""  # read no more
        proposal.save()
        record(
            f"proposal.{proposal.state}", actor=actor, subject=proposal.pk, now=now, scopes=[proposal.subject],
            why=proposal.decision_reason, kind_of=kind, before={"state": "proposed"}, after={"state": proposal.state},
        )  # fmt: skip
    return proposal


@transaction.atomic
def withdraw(*, actor: User, proposal_id: str, now: datetime) -> Proposal:
    """Take one's own proposal back, while nobody decided, or while an accepted IBAN still waits.

    Raises: Forbidden; NotFound `proposal_not_found`; Conflict `proposal_decided`.
    """
    proposal = locked(proposal_id)
    require(actor, RIGHTS[proposal.kind][0])
    if proposal.proposed_by_id != actor.pk:
        raise Forbidden(
            "not_proposer", _("Only who proposed it takes it back: you can refuse it."),
            action=RIGHTS[proposal.kind][0],
        )  # fmt: skip
    before = proposal.state
    if before != "proposed" and not proposal.awaits:
        raise decided()
    proposal.state, proposal.decided_by, proposal.decided_at = "withdrawn", None, now
    proposal.iban_sealed, proposal.applies_at = "", None
    proposal.save()
    record(
        "proposal.withdrawn", actor=actor, subject=proposal.pk, now=now, scopes=[proposal.subject],
        kind_of=proposal.kind, before={"state": before}, after={"state": "withdrawn"},
    )  # fmt: skip
    return proposal


def hindrance(actor: User, proposal: Proposal) -> DomainError | None:
    """Why this person could not accept this proposal now, or None: what the page says beforehand."""
    try:
        require(actor, RIGHTS[proposal.kind][1])
        require_decidable(actor, proposal, accept=True)
    except DomainError as refusal:
        return refusal
    return None


def require_decidable(actor: User, proposal: Proposal, *, accept: bool) -> None:
    """Four eyes: another person than the proposer and the one it is about, and a treasurer among the two.

    An administrator makes administrators alone: two of them are not two people where money is. Only where there is no
    treasurer any more do they name one; a treasurer whose factor was taken off is one still. A treasurer whose link an
    administrator read counts as none here: it may be that administrator.

    Raises: Conflict `proposal_decided`, `proposer_without_right`, `treasurer_wanted`; Forbidden `own_proposal`,
        `proposal_about_you`.
    """
    propose_right, decide_right = RIGHTS[proposal.kind]
    if proposal.state != "proposed":
        raise decided()
    if proposal.proposed_by_id == actor.pk:
        raise Forbidden("own_proposal", _("You proposed this: another person must decide."), action=decide_right)
    if proposal.kind == TREASURER and proposal.subject == actor.pk:
        raise Forbidden("proposal_about_you", _("This is about you: another person must decide."), action=decide_right)
    if accept and not may(proposal.proposed_by, propose_right):
        raise Conflict(
            "proposer_without_right", _("Who proposed this may not do so any more: refuse it, or propose it yourself.")
        )
    two = (actor, proposal.proposed_by)
    seen_by_treasurer = any(holds(one, "treasurer") and not came_by_hand(one) for one in two)
    if accept and not seen_by_treasurer and (proposal.kind in {ACCOUNT, PAYOUTS} or _has_treasurer()):
        raise Conflict(
            "treasurer_wanted", _("One of the two people must be a treasurer who came by mail: ask one to decide.")
        )


def _has_treasurer() -> bool:
    held = Role.objects.filter(kind="treasurer", user__is_active=True).select_related("user")
    return any(accepted(role.user) for role in held)


def locked(proposal_id: str, kind: str = "") -> Proposal:
    """A proposal, held until the transaction ends; raises NotFound `proposal_not_found`."""
    rows = Proposal.objects.select_for_update(of=("self",), no_key=True).select_related("proposed_by")
    proposal = rows.filter(pk=proposal_id, **({"kind": kind} if kind else {})).first()
    if proposal is None:
        raise NotFound("proposal_not_found", _("There is no such proposal."))
    return proposal


def decided() -> Conflict:
    """The refusal to decide twice."""
    return Conflict("proposal_decided", _("This was decided, or taken back, already. Nothing was changed."))


def iban_of(proposal: Proposal) -> str:
    """The IBAN a proposal is about, in full; empty when it has none, or when it is decided."""
    return crypto.decrypt(proposal.iban_sealed, bound_to=proposal.pk) if proposal.iban_sealed else ""


def see_iban(*, actor: User, proposal_id: str, now: datetime) -> str:
    """The IBAN of a proposal in full, for a treasurer who proposed it or can decide it; each look is written down.

    Others, administrators and auditors too, read its first and last figures and decide on the digest of the whole.
    Raises: Forbidden `not_allowed`; NotFound `proposal_not_found`; Conflict `proposal_decided` once it is kept no more.
    """
    require(actor, "host.decide")
    if not holds(actor, "treasurer"):
        raise Forbidden(
            "not_allowed", _("Your roles do not allow this. Nothing was changed."), action="host.decide"
        )  # fmt: skip
    with transaction.atomic():
        proposal = locked(proposal_id, ACCOUNT)
        iban = iban_of(proposal)
        if not iban:
            raise decided()
        record("proposal.iban_seen", actor=actor, subject=proposal.pk, now=now, scopes=[proposal.subject])
    return iban


def intact(proposal: Proposal) -> bool:
    """Whether a proposal that awaits still says what was signed for when it was made."""
    return proposal.digest == digest_of(proposal.kind, proposal.subject, proposal.payload, iban_of(proposal))


def digest_of(kind: str, subject: str, payload: Mapping[str, Any], iban: str) -> str:
    """SHA-256 of what is proposed (64 hexadecimal figures)."""
    facts = [kind, subject, dict(payload), iban]
    text = json.dumps(facts, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
