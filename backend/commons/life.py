"""The life of a commons: proposed by anyone, opened or refused by another, hidden, shown again; budgets suspended.

Also what of its public texts is withdrawn. Archiving, which looks at pledges and work, is in operations.
"""

from collections.abc import Iterable
from datetime import date, datetime, timedelta

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import ValidationError
from django.core.validators import URLValidator
from django.db import transaction
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backend.commons.charters import default_document
from backend.commons.models import Budget, Commons, Moderation
from backend.commons.proposed import require_as_read
from backend.commons.services import free_name, give_pot, tree_of
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.reads import Read, among
from backend.events.services import record
from backend.identity.inviting import Named, person_named, require_apart
from backend.identity.models import User
from backend.identity.naming import valid_address
from backend.identity.permissions import may, require
from backend.identity.roles import lock_roles, required_reason
from backend.identity.services import grant_role

PROPOSALS_A_DAY = 5
LONGEST_FIRST_PERIOD = timedelta(days=731)
# Who reads the whole of a commons that is withdrawn from the public, beside its stewards.
INSIDERS = "moderation.read"


# --- proposing --------------------------------------------------------------------------------------------------------


@transaction.atomic
def propose_commons(
    *,
    actor: User,
    name: str,
    summary: str,
    why: str,
    website: str = "",
    licence: str = "",
    steward: Named | None = None,
    now: datetime,
) -> Commons:
    """Ask for a commons; it is shown to nobody else until somebody opens it.

    Args: why: what it is for, at most 1000 characters. steward: who would take care of it; None: the one who asks.
    Raises: Forbidden; Conflict `too_many_proposals`; Invalid `name_taken`, `name_missing`, `summary_missing`,
        `why_missing`, `website_invalid`, `email_invalid`.
    """
    require(actor, "commons.propose")
    User.objects.select_for_update(no_key=True).get(pk=actor.pk)
    recent = Commons.objects.filter(proposed_by=actor, created_at__gt=now - timedelta(days=1)).count()
    if recent >= PROPOSALS_A_DAY:
        raise Conflict("too_many_proposals", _("You proposed five commons in a day: go on tomorrow."))
    key = new_id("com")
    commons = Commons(id=key, slug=key, state="proposed", proposed_by=actor, created_at=now)
    _describe(commons, name=name, summary=summary, why=why, website=website, licence=licence, steward=steward)
    commons.save(force_insert=True)
    record("commons.proposed", actor=actor, subject=key, now=now, scopes=[key], after={"state": "proposed"})
    return commons


@transaction.atomic
def amend_commons(
    *,
    actor: User,
    commons_id: str,
    name: str,
    summary: str,
    why: str,
    website: str = "",
    licence: str = "",
    steward: Named | None = None,
    now: datetime,
) -> Commons:
    """Write one's own proposal again, while nobody decided.

    Raises: NotFound `commons_not_found` for that of another; Conflict `commons_decided`; Invalid as `propose_commons`.
    """
    require(actor, "commons.propose")
    commons = _own_proposal(actor, commons_id)
    _describe(commons, name=name, summary=summary, why=why, website=website, licence=licence, steward=steward)
    commons.save()
    record("commons.amended", actor=actor, subject=commons.pk, now=now, scopes=[commons.pk])
    return commons


@transaction.atomic
def withdraw_commons(*, actor: User, commons_id: str, now: datetime) -> Commons:
    """Take one's own proposal back, while nobody decided; raises NotFound, Conflict `commons_decided`."""
    require(actor, "commons.propose")
    commons = _own_proposal(actor, commons_id)
    commons.state = "withdrawn"
    commons.save(update_fields=["state"])
    record(
        "commons.withdrawn", actor=actor, subject=commons.pk, now=now, scopes=[commons.pk],
        before={"state": "proposed"}, after={"state": "withdrawn"},
    )  # fmt: skip
    return commons


def _own_proposal(actor: User, commons_id: str) -> Commons:
    commons = _locked(commons_id)
    if commons.proposed_by_id != actor.pk:
        raise _not_found()
    _require_proposed(commons)
    return commons


def _describe(
    commons: Commons, *, name: str, summary: str, why: str, website: str, licence: str, steward: Named | None
) -> None:
    """Keep what was typed, if it can be used."""
    commons.name, _slug = free_name(name)
    commons.summary, commons.why = summary.strip(), why.strip()
    commons.website, commons.licence = website.strip(), licence.strip()[:60]
    if not commons.summary or len(commons.summary) > 280:
        raise Invalid("summary_missing", _("Say in one sentence what it is."), param="summary")
    if not commons.why or len(commons.why) > 1000:
        raise Invalid("why_missing", _("Say why it needs a common pot."), param="why")
    if commons.website:
        try:
            URLValidator(schemes=["https", "http"])(commons.website)
        except ValidationError:
            raise Invalid("website_invalid", _("This is not the address of a website."), param="website") from None
    commons.steward_name = " ".join(steward.name.split())[:120] if steward else ""
    commons.steward_email = address(steward.email, param="steward_email") if steward else ""
    if steward and not commons.steward_name:
        raise Invalid("name_missing", _("A name is missing, or it is too long."), param="steward_name")


# --- deciding ---------------------------------------------------------------------------------------------------------


@transaction.atomic
def approve_commons(
    *,
    actor: User,
    commons_id: str,
    digest: str,
    currency: str,
    first_day: date,
    last_day: date,
    approvals: int,
    now: datetime,
) -> Commons:
    """Open a proposed commons: its pot, first charter and first period, its steward told by mail. Moves no money.

    Args: digest: of the proposal, as the page showed it. currency: of one of the host's bank accounts. first_day,
        last_day: of the first period, both included. approvals: how many stewards validate a contribution.
    Raises: Forbidden `not_allowed`, `own_commons`; NotFound; Conflict `commons_decided`, `commons_changed`,
        `commons_without_person`; Invalid `period_length`,
        `approvals_out_of_range`, `name_taken`, `currency_without_account`, `administrator_as_treasurer`.
    """
    require(actor, "commons.approve")
    lock_roles()
    commons = _to_decide(actor, commons_id)
    require_as_read(commons, digest)
    if last_day < first_day or last_day - first_day > LONGEST_FIRST_PERIOD:
        raise Invalid(
            "period_length", _("The last day comes after the first one, two years later at most."), param="last_day"
        )
    if not 1 <= approvals <= 9:
        raise Invalid("approvals_out_of_range", _("One approval at least, nine at most."), param="approvals")
    _name, commons.slug = free_name(commons.name)
    steward = steward_of(commons)
    erased = commons.steward_name and not commons.steward_email
    if erased or not steward.is_active or not (commons.proposed_by and commons.proposed_by.is_active):
        raise Conflict(
            "commons_without_person",
            _("Whoever proposed it, or would take care of it, closed their account. Refuse it. Nothing was opened."),
        )
    if steward.pk == actor.pk:
        raise _own("commons.approve")
    require_apart(steward, "steward", param="")
    commons.state, commons.decided_by, commons.decided_at, commons.reason = "open", actor, now, ""
    commons.save()
    budget = give_pot(
        commons, currency=currency, document=default_document(approvals=approvals), steward=steward,
        first_day=first_day, end_before=last_day + timedelta(days=1), now=now,
    )  # fmt: skip
    grant_role(
        user=steward, kind="steward", scope=budget.pk, granted_by=actor, now=now, told=True, why=commons.why[:500]
    )
    record(
        "commons.approved", actor=actor, subject=commons.pk, now=now, scopes=[commons.pk, budget.pk],
        before={"state": "proposed"}, after={"state": "open"},
    )  # fmt: skip
    return commons


@transaction.atomic
def refuse_commons(*, actor: User, commons_id: str, reason: str, now: datetime) -> Commons:
    """Refuse a proposed commons, with the reason its proposer reads.

    Raises: Forbidden `not_allowed`, `own_commons`; NotFound; Conflict `commons_decided`; Invalid `reason_missing`.
    """
    require(actor, "commons.approve")
    commons = _to_decide(actor, commons_id)
    return _move(commons, "refused", actor=actor, reason=reason, now=now, kind="commons.refused")


def steward_of(commons: Commons) -> User:
    """Who takes care of a proposed commons once it is open: the person it names, else the one who proposed it."""
    if commons.steward_email:
        proposer = commons.proposed_by
        language = proposer.language if proposer else "fr"
        return person_named(Named(commons.steward_name, commons.steward_email, language), param="steward")
    assert commons.proposed_by is not None
    return commons.proposed_by


def _to_decide(actor: User, commons_id: str) -> Commons:
    commons = _locked(commons_id)
    _require_proposed(commons)
    if commons.proposed_by_id == actor.pk:
        raise _own("commons.approve")
    return commons


def _own(action: str) -> Forbidden:
    return Forbidden("own_commons", _("You proposed this commons: another person must decide."), action=action)


def _require_proposed(commons: Commons) -> None:
    if commons.state != "proposed":
        raise Conflict("commons_decided", _("This proposal was decided, or taken back, already. Nothing was changed."))


# --- once it is open --------------------------------------------------------------------------------------------------


@transaction.atomic
def hide_commons(*, actor: User, commons_id: str, reason: str, appeal_to: str, now: datetime) -> Commons:
    """Withdraw a commons from the public, which reads the reason and where to object. Moves no money.

    Raises: Forbidden `not_allowed`, `own_commons`; NotFound; Conflict `commons_not_open`; Invalid `reason_missing`,
        `email_invalid`.
    """
    require(actor, "commons.hide")
    commons = required_to_decide(actor, commons_id, "open", action="commons.hide")
    commons.appeal_to = address(appeal_to, param="appeal_to")
    return _move(commons, "hidden", actor=actor, reason=reason, now=now, kind="commons.hidden")


@transaction.atomic
def show_commons(*, actor: User, commons_id: str, reason: str, now: datetime) -> Commons:
    """Show a hidden commons to the public again; raises as `hide_commons`, Conflict `commons_not_hidden`."""
    require(actor, "commons.hide")
    commons = required_to_decide(actor, commons_id, "hidden", action="commons.hide")
    commons.appeal_to = ""
    return _move(commons, "open", actor=actor, reason=reason, now=now, kind="commons.shown")


def required_to_decide(actor: User, commons_id: str, state: str, *, action: str) -> Commons:
    """A commons in a state, held for a decision by somebody else than who proposed it.

    Raises: NotFound `commons_not_found`; Conflict `commons_not_open`, `commons_not_hidden`; Forbidden `own_commons`.
    """
    commons = _locked(commons_id)
    if commons.state in {"proposed", "refused", "withdrawn"}:
        raise _not_found()
    if commons.state != state:
        if state == "hidden":
            raise Conflict("commons_not_hidden", _("This commons is not withdrawn from the public."))
        raise Conflict("commons_not_open", _("This commons is not open."))
    if commons.proposed_by_id == actor.pk:
        raise _own(action)
    return commons


def _move(commons: Commons, state: str, *, actor: User, reason: str, now: datetime, kind: str) -> Commons:
    """Change the state with a reason; the caller holds the row and checked the way there."""
    before = commons.state
    commons.state, commons.reason = state, required_reason(reason)
    commons.decided_by, commons.decided_at = actor, now
    commons.save()
    scopes = [commons.pk, *commons.budgets.order_by("pk").values_list("pk", flat=True)]
    record(
        kind, actor=actor, subject=commons.pk, now=now, scopes=scopes, why=commons.reason, before={"state": before},
        after={"state": state},
    )  # fmt: skip
    return commons


def reads_hidden(actor: User | AnonymousUser, commons: Commons) -> bool:
    """Whether a person reads a commons that is withdrawn from the public: who runs the host, and its own people."""
    if not isinstance(actor, User):
        return False
    budgets = list(commons.budgets.values_list("pk", flat=True))
    return may(actor, INSIDERS) or may(actor, "budget.read", scopes=budgets)


def concealed(actor: User | AnonymousUser, commons: Commons) -> bool:
    """Whether a commons is not public, and this person reads it no more than anybody: for them its ids lead nowhere."""
    return commons.state not in {"open", "archived"} and not reads_hidden(actor, commons)


def _locked(commons_id: str) -> Commons:
    """A commons, held until the transaction ends."""
    rows = Commons.objects.select_for_update(of=("self",), no_key=True).select_related("proposed_by")
    commons = rows.filter(pk=commons_id).first()
    if commons is None:
        raise _not_found()
    return commons


def _not_found() -> NotFound:
    return NotFound("commons_not_found", _("There is no such commons."))


def address(text: str, *, param: str) -> str:
    """A mail address in lower case; raises Invalid `email_invalid`."""
    return valid_address(text, param=param)


# --- budgets ----------------------------------------------------------------------------------------------------------


def suspend_budget(*, actor: User, budget_id: str, reason: str, now: datetime) -> Budget:
    """Take no pledge any more for a budget; work is still declared and money that arrives is booked.

    Raises: Forbidden; NotFound `budget_not_found`; Conflict `budget_not_open`; Invalid `reason_missing`.
    """
    return _switch("open", "suspended", actor=actor, budget_id=budget_id, reason=reason, now=now)


def reopen_budget(*, actor: User, budget_id: str, reason: str, now: datetime) -> Budget:
    """Take pledges for a budget again; raises as `suspend_budget`, Conflict `budget_not_suspended`."""
    return _switch("suspended", "open", actor=actor, budget_id=budget_id, reason=reason, now=now)


@transaction.atomic
def _switch(before: str, after: str, *, actor: User, budget_id: str, reason: str, now: datetime) -> Budget:
    rows = Budget.objects.select_for_update(of=("self",), no_key=True).select_related("commons", "parent__parent")
    budget = rows.filter(pk=budget_id).first()
    if budget is None:
        raise NotFound("budget_not_found", _("There is no such budget."), param="budget")
    require(actor, "budget.suspend", scopes=tree_of(budget))
    if budget.state != before:
        if before == "open":
            raise Conflict("budget_not_open", _("This budget is not open: it cannot be suspended."))
        raise Conflict("budget_not_suspended", _("This budget is not suspended: it cannot be reopened."))
    why = required_reason(reason)
    budget.state = after
    budget.save(update_fields=["state"])
    record(
        "budget.suspended" if after == "suspended" else "budget.reopened", actor=actor, subject=budget.pk, now=now,
        scopes=tree_of(budget), why=why, before={"state": before}, after={"state": after},
    )  # fmt: skip
    return budget


# --- public texts that are withdrawn ----------------------------------------------------------------------------------


class Veil:
    """What is withdrawn of the public texts of some things, read in one query."""

    _withdrawn = Read(
        "subjects",
        rows=lambda subjects: Moderation.objects.filter(among("subject", subjects), lifted_at=None),
    )

    def __init__(self, subjects: Iterable[str]) -> None:
        """Read it; subjects: ids of commons, contributions, people, organisations."""
        named = list(subjects)
        rows = self._withdrawn(subjects=named) if named else ()
        self.rows = {(row.subject, row.field): row for row in rows}

    def hides(self, subject: str, field: str) -> bool:
        """Whether this text is withdrawn."""
        return (subject, field) in self.rows

    def text(self, subject: str, field: str, text: str) -> str:
        """The text as the public reads it: itself, or why it is withdrawn and where to object."""
        row = self.rows.get((subject, field))
        return text if row is None or not text else said(row)


def shown(subject: str, field: str, text: str) -> str:
    """One public text as the public reads it; of many, `Veil` reads them at once."""
    return Veil([subject]).text(subject, field, text)


def said(row: Moderation) -> str:
    """What stands in place of a text that is withdrawn, in the language of the moment."""
    return gettext("Text withdrawn: %(reason)s To object: %(address)s") % {
        "reason": row.reason if row.reason.endswith((".", "!", "?")) else f"{row.reason}.",
        "address": row.appeal_to,
    }
