"""Makes pledges: to one budget, or to several in one act. A promise moves no money."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.commons.services import OPEN_TO_PLEDGES
from backend.core.errors import Conflict, Invalid
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.core.money import require_amount, require_currency
from backend.documents.services import party_of, require_invoices
from backend.events.services import record
from backend.identity.models import Organisation, User
from backend.identity.permissions import require
from backend.identity.services import host_day
from backend.pledges.calendar import covers_until, pay_by
from backend.pledges.limits import require_within_limits
from backend.pledges.models import Instalment, Pledge
from backend.pledges.references import new_reference
from backend.pledges.terms import ONCE, Terms

MOST_PARTS = 20
Part = tuple[Budget, int]


@dataclass(frozen=True)
class Act:
    """One act of promising, as it is compared when its form is sent again: who, to which budgets, on which terms."""

    payer: Organisation | User
    parts: Sequence[Part]
    terms: Terms

    @property
    def total(self) -> int:
        """What one instalment of all its pledges comes to, in minor units."""
        return sum(amount for _budget, amount in self.parts)


def make_pledge(
    *,
    actor: User,
    budget: Budget,
    amount: int,
    currency: str,
    form_key: str,
    now: datetime,
    organisation: Organisation | None = None,
    person: User | None = None,
    terms: Terms = ONCE,
) -> Pledge:
    """Promise an amount to a budget: `make_pledges` with one part."""
    (made,) = make_pledges(
        actor=actor, parts=[(budget, amount)], currency=currency, organisation=organisation, person=person, terms=terms,
        form_key=form_key, now=now,
    )  # fmt: skip
    return made


def make_pledges(
    *,
    actor: User,
    parts: Sequence[Part],
    currency: str,
    form_key: str,
    now: datetime,
    organisation: Organisation | None = None,
    person: User | None = None,
    terms: Terms = ONCE,
) -> list[Pledge]:
    """Promise amounts to budgets in one act, to be paid by one bank transfer, all or nothing. Moves no money.

    Args: parts: each budget once, with minor units greater than zero: what one instalment brings it. organisation:
        in whose name; else `person`, who is the actor. form_key: made with the form or request; a repetition gives
        back the first pledges.
    Returns: the pledges in the order of the parts: one group, one reference.
    Raises: Forbidden for someone who may not act for the organisation; Invalid `unknown_currency`, `other_currency`,
        `amount_out_of_range`, `budgets_repeated`, `too_many_parts` and those of `Terms.checked`; Conflict
        `budget_not_open`, `form_key_reused`, `above_spending_limit`, `organisation_merged`,
        `invoice_host_incomplete`, `invoice_party_incomplete`.
    """
    payer: Organisation | User
    if organisation is not None:
        require(actor, "pledge.make", scopes=[organisation.pk])
        payer = organisation
    else:
        require(actor, "pledge.give")
        if person is None or person.pk != actor.pk:
            raise ValueError("nobody promises in the name of another person")
        payer = person
    asked = terms.checked(today=host_day(now))
    if asked.paper == "invoice":
        require_invoices(party_of(payer))

    def allow(amount: int) -> None:
        if organisation is not None:
            require(actor, "pledge.make", scopes=[organisation.pk])  # again: the role may have ended meanwhile
            require_within_limits(actor, organisation, amount=amount, terms=asked, currency=currency, now=now)

    return write_pledges(
        actor=actor, act=Act(payer, parts, asked), currency=currency, form_key=form_key, now=now, recorded=False,
        allow=allow,
    )  # fmt: skip


def write_pledges(
    *,
    actor: User,
    act: Act,
    currency: str,
    form_key: str,
    now: datetime,
    recorded: bool,
    allow: Callable[[int], None],
) -> list[Pledge]:
    """Write pledges that the caller has the right to make, whoever they are for; their terms are checked already.

    Args: recorded: whether somebody told it and another person writes it down. allow: refuses what was allowed before;
        called with the total once the payer is held, so that no two acts pass a limit together.
    Raises: as `make_pledges`.
    """
    _require_parts(act.parts, currency)
    first = _made(actor, form_key)
    if first:
        return _same_act(first, act)
    for budget, _amount in act.parts:
        if budget.state not in OPEN_TO_PLEDGES or budget.commons.state != "open":
            raise Conflict("budget_not_open", _("This budget does not take pledges at present."), param="budget")
    try:
        with transaction.atomic():
            _hold(act.payer)
            first = _made(actor, form_key)  # a double click waited for the payer here
            if first:
                return _same_act(first, act)
            allow(act.total)
            made = _write(actor, act, currency, form_key, now)
            _record(made, actor, recorded, now)
    except IntegrityError as twin:
        if "one_pledge_per_form" not in str(twin):
            raise
        return _same_act(_made(actor, form_key), act)
    return made


def _require_parts(parts: Sequence[Part], currency: str) -> None:
    require_currency(currency)
    for budget, amount in parts:
        if currency != budget.currency:
            raise Invalid(
                "other_currency",
                _("This pot is kept in %(currency)s: pledge in that currency.") % {"currency": budget.currency},
                param="currency",
            )
        require_amount(amount)
    if not 1 <= len(parts) <= MOST_PARTS:
        raise Invalid("too_many_parts", _("Share it over 1 to %(most)s budgets.") % {"most": MOST_PARTS}, param="parts")
    if len({budget.pk for budget, _amount in parts}) < len(parts):
        raise Invalid("budgets_repeated", _("Name each budget once."), param="parts")


def _made(actor: User, form_key: str) -> list[Pledge]:
    """What this form made already."""
    return list(Pledge.objects.filter(made_by=actor, form_key=form_key).order_by("pk"))


def _same_act(first: list[Pledge], act: Act) -> list[Pledge]:
    sent = {budget.pk: amount for budget, amount in act.parts}
    known = {one.budget_id: one for one in first}
    same = sent.keys() == known.keys() and all(
        one.payer_id == act.payer.pk and act.terms.made(one, amount=sent[key]) for key, one in known.items()
    )
    if not same:
        raise Conflict(
            "form_key_reused", _("This form was already sent with other values. Open a new one for another pledge.")
        )
    return [known[budget.pk] for budget, _amount in act.parts]


def _hold(payer: Organisation | User) -> None:
    """Hold who promises until the transaction ends: their limits and double clicks wait."""
    if isinstance(payer, User):
        User.objects.select_for_update(of=("self",), no_key=True).get(pk=payer.pk)
        return
    held = Organisation.objects.select_for_update(of=("self",), no_key=True).get(pk=payer.pk)
    if held.merged_into_id is not None:
        raise Conflict("organisation_merged", _("This organisation was merged into another one: act for that one."))


def _write(actor: User, act: Act, currency: str, form_key: str, now: datetime) -> list[Pledge]:
    """The rows, each with its first instalment; that is called at once when its day has come."""
    group, reference, terms, today = new_id("grp"), new_reference(), act.terms, host_day(now)
    starts_on = terms.starts_on or today
    payer: dict[str, Any] = {"person" if isinstance(act.payer, User) else "organisation": act.payer}
    made = []
    for budget, amount in act.parts:
        pledge = Pledge.objects.create(
            id=new_id("plg"), budget=budget, made_by=actor, amount=amount, currency=currency, rhythm=terms.rhythm,
            starts_on=starts_on, ends_on=terms.ends_on, visibility=terms.visibility, pseudonym=terms.pseudonym,
            purchase_order=terms.purchase_order, paper=terms.paper, group=group, reference=reference, form_key=form_key,
            created_at=now, **payer,
        )  # fmt: skip
        called = starts_on <= today
        Instalment.objects.create(
            id=new_id("ins"), pledge=pledge, number=1, due_on=starts_on, amount=amount, currency=currency,
            covers_until=covers_until(starts_on, terms.rhythm, 1), state="called" if called else "due",
            called_at=now if called else None, created_at=now,
            pay_by=pay_by(starts_on, called_on=today, organisation=not isinstance(act.payer, User)) if called else None,
        )  # fmt: skip
        pledge.refresh_from_db(fields=["expected"])
        made.append(pledge)
    return made


def _record(made: Sequence[Pledge], actor: User, recorded: bool, now: datetime) -> None:
    for pledge in made:
        facts: dict[str, Any] = {
            "actor": actor, "subject": pledge.pk, "now": now, "scopes": [pledge.budget_id, pledge.payer_id],
            "on_behalf": pledge.organisation_id or "", "amount": pledge.amount, "currency": pledge.currency,
        }  # fmt: skip
        if pledge.rhythm != "once":
            facts["rhythm"] = pledge.rhythm
        if recorded:
            record("pledge.recorded", **facts)
        else:
            record("pledge.made", **facts)
    around_commit("pledge.made")
