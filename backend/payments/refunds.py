"""Gives money back to who paid it: owed at once, paid by the next payout batch, on an account typed by a treasurer."""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.services import hold
from backend.core import crypto
from backend.core.crypto import KeyDestroyed
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import require_amount
from backend.events.models import Event
from backend.events.services import record
from backend.identity.models import Role, User
from backend.identity.permissions import MEMBERS, require
from backend.identity.services import host_day, require_iban
from backend.ledger.services import post
from backend.payees.services import archive_name, mask
from backend.payments.models import PaperPayment, Payment, ProviderRefund, Refund
from backend.payments.purses import line_on
from backend.payments.surpluses import decide, open_surplus, require_open
from backend.payments.taking_back import take_back
from backend.pledges.models import Pledge


def refund_surplus(
    *, actor: User, surplus_id: str, name: str, iban: str, reason: str, form_key: str, now: datetime
) -> Refund:
    """Owe what is left of a surplus to its payer. Nothing leaves the bank before a batch is approved by another person.

    The ledger moved: suspense +, refund −.
    Args: name, iban: of the account it goes to. form_key: a repetition gives back the first refund.
    Raises: Forbidden; NotFound; Conflict `surplus_decided`, `paper_not_cleared`, `provider_refund_waits`; Invalid
        `iban_invalid`, `name_missing`, `reason_missing`.
    """
    require(actor, "refund.ask")
    compact, name, reason = _typed(iban, name, reason)
    with transaction.atomic():
        surplus = open_surplus(actor, surplus_id)
        first = Refund.objects.filter(asked_by=actor, form_key=form_key).first()
        if first is not None:
            return _same(first, surplus_id=surplus.pk)
        require_open(surplus)
        require_cleared(surplus.source)
        _require_not_asked_there(surplus.source.removeprefix("charge:").removesuffix(":s"))
        refund = _new(
            pledge=surplus.pledge, amount=surplus.left, name=name, iban=compact, reason=reason, actor=actor,
            form_key=form_key, now=now,
        )  # fmt: skip
        refund.surplus = surplus
        refund.entry = post(
            kind="surplus.refunded", scope="refund", key=refund.pk, reference=refund.pk, happened_on=host_day(now),
            lines=[
                line_on(("suspense", surplus.account_id), refund.amount, refund.currency),
                line_on(("payee", refund.pk), -refund.amount, refund.currency),
            ],
            now=now,
        ).pk  # fmt: skip
        surplus.state = "refunded"
        decide(surplus, actor=actor, reason=reason, now=now)
        _keep(refund, actor=actor, now=now)
    return refund


def refund_payment(
    *, actor: User, payment_id: str, amount: int, name: str, iban: str, reason: str, form_key: str, now: datetime
) -> Refund:
    """Owe a payment, or a part of it, to who paid it: the host gives its fee back in proportion, the budget the rest.

    Its instalment is given up and not asked for again. The ledger moved: host fees +, budget +, refund −.
    Args: amount: minor units. form_key: a repetition gives back the first refund.
    Raises: Forbidden; NotFound; Conflict `take_back_too_large`, `refund_above_held`, `paper_not_cleared`,
        `payment_disputed`, `provider_refund_waits`; Invalid `amount_out_of_range`, `iban_invalid`, `name_missing`,
        `reason_missing`.
    """
    require(actor, "refund.ask")
    compact, name, reason = _typed(iban, name, reason)
    require_amount(amount)
    with transaction.atomic():
        payment = Payment.visible_to(actor).select_related("pledge__budget").filter(pk=payment_id).first()
        if payment is None:
            raise NotFound("payment_not_found", _("There is no such payment."))
        first = Refund.objects.filter(asked_by=actor, form_key=form_key).first()
        if first is not None:
            return _same(first, payment_id=payment.pk)
        require_cleared(payment.source)
        hold([payment.pledge.budget])  # as when its provider is asked to give it back
        _require_not_asked_there(payment.charge)
        payment.refresh_from_db(fields=["state"])
        if payment.state == "disputed":
            raise Conflict(
                "payment_disputed",
                _("The payer’s bank disputes this payment: what is given back now could leave twice."),
            )
        refund = _new(
            pledge=payment.pledge, amount=amount, name=name, iban=compact, reason=reason, actor=actor,
            form_key=form_key, now=now,
        )  # fmt: skip
        refund.payment = payment
        refund.entry = take_back(
            payment=payment, amount=amount, source=f"refund:{refund.pk}", purse=("payee", refund.pk),
            taken_on=host_day(now), actor=actor, now=now,
        ).entry  # fmt: skip
        _keep(refund, actor=actor, now=now)
    return refund


def _require_not_asked_there(charge: str) -> None:
    """Refuse to owe what the payment provider is asked to give back. The caller holds a budget of the charge."""
    if charge and ProviderRefund.objects.filter(charge=charge, state__in=ProviderRefund.OPEN).exists():
        raise Conflict(
            "provider_refund_waits",
            _("A refund of this payment by its provider is asked or on its way: refuse it first, or wait for its end."),
        )


def correct_account(*, actor: User, refund_id: str, name: str, iban: str, now: datetime) -> Refund:
    """Type another account for a refund that no batch pays yet. Moves no money; who typed it approves no batch of it.

    Raises: Forbidden; NotFound; Conflict `refund_on_its_way`, `refund_forgotten`; Invalid `iban_invalid`,
        `name_missing`.
    """
    require(actor, "refund.ask")
    compact, name, _reason = _typed(iban, name, "-")
    with transaction.atomic():
        refund = Refund.visible_to(actor).select_for_update(of=("self",)).filter(pk=refund_id).first()
        if refund is None:
            raise NotFound("refund_not_found", _("There is no such refund."))
        if refund.state != "owed":
            raise Conflict(
                "refund_on_its_way",
                _("This refund is in a batch: refuse the batch first, then type the right account."),
            )
        before = _told(refund)
        refund.name = name
        try:
            _seal(refund, compact)
        except KeyDestroyed as gone:  # paid, forgotten with its donor, then sent back by the bank
            raise Conflict(
                "refund_forgotten",
                _("Whoever this refund goes to was forgotten: no account can be kept for it any more. Nothing was "
                  "changed; the money stays owed in the books."),
            ) from gone  # fmt: skip
        archive_name(refund.pk, name, now=now)
        refund.save(update_fields=["name", "iban_sealed", "iban_index", "iban_hint"])
        record(
            "refund.account_changed", actor=actor, subject=refund.pk, now=now,
            scopes=[refund.pledge.budget_id, refund.pledge.payer_id], before=before, after=_told(refund),
        )  # fmt: skip
    return refund


def open_refund_iban(refund: Refund) -> str:
    """The IBAN in clear, for the payment file alone."""
    return crypto.open_for(refund.pk, refund.iban_sealed, bound_to=refund.pk)


def hands_on(refunds: Iterable[Refund]) -> dict[str, set[str]]:
    """Who asked for each of these refunds or typed its account, as ids of people: another person approves its batch.

    Read from the audit trail too, which keeps each of those who typed an account.
    """
    people = {row.pk: {row.asked_by_id} for row in refunds}
    touched = Event.objects.filter(subject__in=people, kind__in=["refund.asked", "refund.account_changed"])
    for subject, who in touched.exclude(actor=None).values_list("subject", "actor"):
        people[subject].add(who)
    return people


def people_paid(refunds: Iterable[Refund]) -> dict[str, set[str]]:
    """Who gets each of these refunds, as ids of people: who promised it or took the gift into their account, or
    whoever has a role in the organisation that paid."""
    rows = list(refunds)
    organisations = {row.pledge.organisation_id for row in rows} - {None}
    members: dict[str | None, set[str]] = defaultdict(set)
    for scope, who in Role.objects.filter(scope__in=organisations, kind__in=MEMBERS).values_list("scope", "user"):
        members[scope].add(who)
    donors = {row.pk: row.pledge.donor.claimed_by_id for row in rows if row.pledge.donor is not None}
    return {
        row.pk: members[row.pledge.organisation_id] | {key for key in (row.pledge.person_id, donors.get(row.pk)) if key}
        for row in rows
    }


def _same(first: Refund, **of: str) -> Refund:
    """What a form made when it was sent before; raises Conflict `form_key_reused` when it was about something else."""
    if any(getattr(first, name) != value for name, value in of.items()):
        raise Conflict("form_key_reused", _("This form was already sent with other values: open a new one."))
    return first


def require_cleared(source: str) -> None:
    """Refuse to give back money of a cheque or of cash that the bank has not shown; raises Conflict."""
    if not source.startswith("paper:"):
        return
    paper = PaperPayment.objects.filter(pk=source.split(":")[1]).first()
    if paper is not None and paper.state != "cleared":
        raise Conflict(
            "paper_not_cleared", _("This money came on paper and the bank has not shown it yet: it cannot be refunded.")
        )


def _typed(iban: str, name: str, reason: str) -> tuple[str, str, str]:
    """The account, the name and the reason as they were typed; raises Invalid naming the field."""
    compact = require_iban(iban)
    if not name.strip():
        raise Invalid("name_missing", _("Give the name of the account’s holder, as the bank writes it."), param="name")
    if not reason.strip():
        raise Invalid("reason_missing", _("Say why this money is given back."), param="reason")
    return compact, " ".join(name.split())[:70], reason.strip()[:280]


def _new(
    *, pledge: Pledge, amount: int, name: str, iban: str, reason: str, actor: User, form_key: str, now: datetime
) -> Refund:
    refund = Refund(
        id=new_id("rfd"), pledge=pledge, name=name, amount=amount, currency=pledge.currency, reason=reason,
        form_key=form_key, asked_by=actor, asked_at=now,
    )  # fmt: skip
    _seal(refund, iban)
    return refund


def _seal(refund: Refund, iban: str) -> None:
    refund.iban_sealed = crypto.seal_for(refund.pk, iban, bound_to=refund.pk)
    refund.iban_index = crypto.equality_index(iban)
    refund.iban_hint = mask(iban)


def _keep(refund: Refund, *, actor: User, now: datetime) -> None:
    """Write a refund that its entry was booked for, with the name that the accounts keep."""
    archive_name(refund.pk, refund.name, now=now)
    refund.save(force_insert=True)
    record(
        "refund.asked", actor=actor, subject=refund.pk, now=now, why=refund.reason,
        scopes=[refund.pledge.budget_id, refund.pledge.payer_id], amount=refund.amount, currency=refund.currency,
        after=_told(refund),
    )  # fmt: skip


def _told(refund: Refund) -> dict[str, str]:
    """What the audit trail may keep of an account: fingerprints by which two are known equal, nothing to read."""
    return {"iban": refund.iban_index, "name": crypto.equality_index(refund.name)}
