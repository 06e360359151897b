"""What each kind of event says by mail, and to whom. A sentence is written in the language of the moment."""

from collections.abc import Callable

from django.utils.translation import gettext as _

from backend.commons.models import Budget, Charter
from backend.commons.services import tree_of
from backend.core.dates import date_format
from backend.core.money import format_money
from backend.distributions.models import Distribution, Share
from backend.events.models import Event
from backend.identity.inviting import INVITATION_LIFE, accepted, invitation_token
from backend.identity.models import Role, User
from backend.identity.services import people_with, the_host
from backend.ledger.services import closings, last_seal
from backend.notifications.letters import Letter, page_of, payers
from backend.notifications.letters import link as _link
from backend.notifications.recipes_of_accounts import (
    account_changed,
    default_chosen,
    factor_reset,
    paper_refused,
    payee_blocked,
)
from backend.notifications.recipes_of_adjustments import ADJUSTMENT_RECIPES
from backend.notifications.recipes_of_arbitrations import arbitration_ended, arbitration_proposed
from backend.notifications.recipes_of_closing import CLOSING_RECIPES
from backend.notifications.recipes_of_donations import DONATION_RECIPES
from backend.notifications.recipes_of_merges import MERGE_RECIPES
from backend.notifications.recipes_of_payouts import payout_undone, third_person_awaited
from backend.notifications.recipes_of_peers import PEER_RECIPES
from backend.notifications.recipes_of_people import PEOPLE_RECIPES
from backend.notifications.recipes_of_pledges import PLEDGE_RECIPES
from backend.notifications.recipes_of_privacy import PRIVACY_RECIPES
from backend.notifications.recipes_of_provider import PROVIDER_RECIPES
from backend.notifications.recipes_of_rounds import ROUND_RECIPES
from backend.notifications.recipes_of_sessions import device_new
from backend.notifications.recipes_of_tokens import token_ending
from backend.notifications.recipes_organisations import RECIPES as OF_ORGANISATIONS
from backend.payees.services import mask
from backend.payments.models import Payment
from backend.payouts.models import Payout, PayoutBatch
from backend.pledges.references import printed
from backend.transfers.models import Opening, Transfer, YearEnd


def _sealed() -> str:
    """The line that turns a message about money into a receipt of the books: their last head, and where to check it."""
    last = last_seal()
    if not last.position:
        return ""
    values = {"block": last.block, "size": last.position, "root": last.head[:16], "link": _link("log/")}
    said = _("The books at this moment: block %(block)s, %(size)s entries, root %(root)s. To check them: %(link)s")
    return f"\n\n{said % values}"


def _distribution_published(event: Event) -> Letter:
    distribution = Distribution.objects.select_related("period__budget").get(pk=event.subject)
    people = [t for t in people_with("treasurer", []) if t.pk != distribution.prepared_by_id]

    def write() -> tuple[str, str]:
        values = {"budget": distribution.period.budget.name, "link": _link(f"distributions/{distribution.pk}/")}
        return (
            _("To approve: the sharing of %(budget)s") % values,
            _("The computation is ready. Nothing is booked before you approve it.\n\n%(link)s") % values,
        )

    return people, write


def _distribution_approved(event: Event) -> Letter:
    shares = Share.objects.filter(distribution_id=event.subject).select_related("contributor")
    budget = Distribution.objects.get(pk=event.subject).period.budget.name

    def write() -> tuple[str, str]:
        values = {"budget": budget, "link": _link("work/")}
        return (
            _("Your share of %(budget)s is decided") % values,
            _(
                "See the amount and how it was computed. No payment has left yet: if you are owed something, give the"
                " account that you are paid on, and approve the invoice that is drafted for you.\n\n%(link)s"
            )
            % values,
        )

    return [share.contributor for share in shares], write


def _batch_prepared(event: Event) -> Letter:
    batch = PayoutBatch.objects.get(pk=event.subject)
    people = [t for t in people_with("treasurer", []) if t.pk != batch.prepared_by_id]

    def write() -> tuple[str, str]:
        values = {"amount": format_money(batch.total, batch.currency), "link": _link(f"payouts/{batch.pk}/")}
        return (
            _("To approve: a payout batch of %(amount)s") % values,
            _("Another treasurer prepared it. No money leaves before you approve it.\n\n%(link)s") % values,
        )

    return people, write


def _payout_settled(event: Event) -> Letter:
    rows = Payout.objects.select_related("payee__user", "refund__pledge__donor", "batch__account")
    payout = rows.get(pk=event.subject)
    refunded = payout.refund.pledge if payout.refund is not None else None

    def write() -> tuple[str, str]:
        values = {
            "amount": format_money(payout.amount, payout.batch.currency),
            "iban": payout.iban_hint,
            "from": mask(payout.batch.account.iban),
            "link": page_of(refunded) if refunded is not None else _link("work/"),
        }
        return (
            _("%(amount)s is on its way to your account") % values,
            _("The bank booked the transfer from %(from)s to %(iban)s.\n\n%(link)s") % values + _sealed(),
        )

    if refunded is not None:
        return payers(refunded), write
    return ([payout.payee.user] if payout.payee is not None else []), write


def _person_invited(event: Event) -> Letter:
    person = User.objects.get(pk=event.subject)
    scope = event.scopes[0]
    if not Role.objects.filter(user=person, kind=event.data["role"], scope=scope).exists():
        return [], lambda: ("", "")  # somebody else was named meanwhile
    budget = Budget.objects.select_related("commons").filter(pk=scope).first()
    inviter = event.actor

    def write() -> tuple[str, str]:
        values = {
            "inviter": inviter.name if inviter else the_host().name,
            "host": the_host().name,
            "commons": budget.commons.name if budget else "",
            "days": INVITATION_LIFE.days,
        }
        tasks = {
            "treasurer": _(
                "You are named treasurer of %(host)s. A treasurer reads the bank statements, closes periods and "
                "prepares payments; each payment takes two treasurers."
            ),
            "steward": _(
                "You are named steward of %(commons)s. A steward reviews what contributors declare and closes periods; "
                "a steward moves no money."
            ),
        }
        task = tasks.get(event.data["role"], _("You are given a role at %(host)s.")) % values
        if accepted(person):
            values["link"] = _link("welcome/")
            last = _("Sign in to see what you may do:\n\n%(link)s")
        else:
            values["link"] = _link(f"invitations/{invitation_token(person, now=event.created_at)}/")
            last = _(
                "To choose your password, open this link within %(days)s days. It is for you alone and also confirms "
                "your address:\n\n%(link)s\n\nIf you do not know what this is about, do nothing."
            )
        return _("%(inviter)s invites you to %(host)s") % values, f"{task}\n\n{last % values}"

    return [person], write


def _selfcheck_failed(event: Event) -> Letter:
    people = {person.pk: person for kind in ("treasurer", "administrator") for person in people_with(kind, [])}

    def write() -> tuple[str, str]:
        values = {"count": event.data["count"], "codes": ", ".join(event.data["codes"]), "link": _link("status/")}
        return (
            _("Payouts are frozen: the self-check failed"),
            _(
                "The self-check of the books found faults: %(count)s (%(codes)s). Payouts are frozen, no money moved; "
                "what comes in is still recorded. What was found, and what to do: %(link)s"
            )
            % values,
        )

    return list(people.values()), write


def _transfer_proposed(event: Event) -> Letter:
    transfer = Transfer.objects.select_related("source__commons", "target__commons", "proposed_by").get(
        pk=event.subject
    )
    inside = transfer.source.commons_id == transfer.target.commons_id
    people = {one.pk: one for one in people_with("treasurer", [])}
    if inside:
        people |= {one.pk: one for one in people_with("steward", tree_of(transfer.source))}
    people.pop(transfer.proposed_by_id, None)

    def write() -> tuple[str, str]:
        values = {
            "amount": format_money(transfer.amount, transfer.currency),
            "source": transfer.source.full_name,
            "target": transfer.target.full_name,
            "name": transfer.proposed_by.name,
            "reason": transfer.reason,
            "link": _link(f"transfers/{transfer.pk}/"),
        }
        return (
            _("To decide: a transfer of %(amount)s") % values,
            _(
                "%(name)s proposes to move %(amount)s from “%(source)s” to “%(target)s”: %(reason)s\n\n"
                "No money moves before another person agrees; nothing leaves the bank.\n\n%(link)s"
            )
            % values,
        )

    # Booked at once below the charter's threshold: nobody is asked.
    return ([] if transfer.amount <= transfer.alone_up_to else list(people.values())), write


def _charter_adopted(event: Event) -> Letter:
    charter = Charter.objects.select_related("budget__commons", "created_by").get(pk=event.subject)
    kinds = ("contributor", "steward", "treasurer")
    people = {one.pk: one for kind in kinds for one in people_with(kind, event.scopes)}
    people.pop(charter.created_by_id or "", None)

    def write() -> tuple[str, str]:
        values = {
            "name": charter.created_by.name if charter.created_by else "",
            "budget": charter.budget.full_name,
            "version": charter.version,
            "link": _link(f"charters/{charter.budget_id}/"),
        }
        return (
            _("New rules for %(budget)s, version %(version)s") % values,
            _(
                "%(name)s adopted them. They hold from the next period on: the one that is running keeps its rules, "
                "and no money moves. What changes is said on this page: %(link)s"
            )
            % values,
        )

    return list(people.values()), write


def _transfer_decided(event: Event) -> Letter:
    transfer = Transfer.objects.select_related("proposed_by", "decided_by").get(pk=event.subject)

    def write() -> tuple[str, str]:
        values = {
            "amount": format_money(transfer.amount, transfer.currency),
            "name": transfer.decided_by.name if transfer.decided_by else "",
            "reason": transfer.decision_reason,
            "link": _link(f"transfers/{transfer.pk}/"),
        }
        if event.kind == "transfer.refused":
            return (
                _("Your transfer of %(amount)s is refused") % values,
                _("%(name)s refused it: %(reason)s\n\nNo money moved.\n\n%(link)s") % values,
            )
        return (
            _("Your transfer of %(amount)s is booked") % values,
            _("%(name)s agreed. The money changed purse; nothing left the bank.\n\n%(link)s") % values,
        )

    alone = transfer.decided_by_id == transfer.proposed_by_id
    return ([] if alone else [transfer.proposed_by]), write


def _invitation_shown(event: Event) -> Letter:
    person = User.objects.get(pk=event.subject)
    treasurers = [one for one in people_with("treasurer", []) if one.pk != person.pk]
    shower = event.actor

    def write() -> tuple[str, str]:
        values = {"administrator": shower.name if shower else "", "name": person.name, "host": the_host().name}
        return (
            _("The invitation of %(name)s was shown on a page") % values,
            _(
                "%(administrator)s asked to see the link of %(name)s at %(host)s, to hand it over without mail. "
                "Whoever opens it chooses the password of %(name)s. If %(name)s did not get it in hand, say so to the "
                "treasurers before any money is paid."
            )
            % values,
        )

    return [person, *treasurers], write


def _opening_proposed(event: Event) -> Letter:
    opening = Opening.objects.select_related("proposed_by").get(pk=event.subject)
    people = [one for one in people_with("treasurer", []) if one.pk != opening.proposed_by_id]

    def write() -> tuple[str, str]:
        values = {"name": opening.proposed_by.name, "link": _link(f"openings/{opening.pk}/")}
        return (
            _("To approve: opening balances"),
            _("%(name)s wrote the opening balances. Nothing is booked before you approve them.\n\n%(link)s") % values,
        )

    return people, write


def _year_end_proposed(event: Event) -> Letter:
    found = YearEnd.objects.select_related("proposed_by").get(pk=event.subject)
    people = [one for one in people_with("treasurer", []) if one.pk != found.proposed_by_id]

    def write() -> tuple[str, str]:
        values = {"name": found.proposed_by.name, "year": found.year, "link": _link(f"books/year-ends/{found.pk}/")}
        return (
            _("To approve: the end of the year %(year)s") % values,
            _(
                "%(name)s proposed what is written at the end of the year %(year)s. Nothing is booked before you "
                "approve it; no money moves.\n\n%(link)s"
            )
            % values,
        )

    return people, write


def _payment_taken_back(event: Event) -> Letter:
    payment = Payment.objects.select_related("pledge__made_by", "pledge__budget__commons").get(pk=event.subject)

    def write() -> tuple[str, str]:
        values = {
            "amount": format_money(event.data["amount"], payment.currency),
            "budget": payment.pledge.budget.full_name,
            "reference": printed(payment.pledge.reference),
            "link": page_of(payment.pledge),
        }
        subject = _("The bank took back %(amount)s of your payment to %(budget)s") % values
        if payment.charge:
            said = _("It goes back to the card or account it came from; nothing more is taken without you.\n\n%(link)s")
            return subject, said % values + _sealed()
        return (
            subject,
            _(
                "It left the account of the trusted third party and is on its way back to yours. The pledge stands: "
                "the money is expected again, with the reference %(reference)s.\n\n%(link)s"
            )
            % values
            + _sealed(),
        )

    return payers(payment.pledge), write


def _month_asked(event: Event) -> Letter:
    closing = closings().get(pk=event.subject)
    unlocking = event.kind == "month.unlock_asked"
    asker = event.actor
    people = [one for one in people_with("treasurer", []) if asker is None or one.pk != asker.pk]

    def write() -> tuple[str, str]:
        values = {
            "name": asker.name if asker else "",
            "month": date_format(closing.first_day, "F Y"),
            "reason": closing.unlock_reason,
            "link": _link(f"books/months/{closing.pk}/{'unlock' if unlocking else 'lock'}/"),
        }
        if unlocking:
            return (
                _("To decide: unlock the accounting month %(month)s") % values,
                _(
                    "%(name)s asks to unlock it: %(reason)s\n\nIt stays locked until another treasurer unlocks it. No "
                    "money moves.\n\n%(link)s"
                )
                % values,
            )
        return (
            _("To decide: lock the accounting month %(month)s") % values,
            _(
                "%(name)s asks to lock it. It stays open until another treasurer locks it; then nothing more can be "
                "dated in it. No money moves.\n\n%(link)s"
            )
            % values,
        )

    if unlocking:
        waits = closing.unlock_asked_at is not None and closing.unlocked_at is None
    else:
        waits = closing.locked_at is None and closing.withdrawn_at is None
    return (people if waits else []), write  # once it is decided, nobody is asked any more


RECIPES: dict[str, Callable[[Event], Letter]] = {
    **PEOPLE_RECIPES,
    **PRIVACY_RECIPES,
    **MERGE_RECIPES,
    **PEER_RECIPES,
    **ROUND_RECIPES,
    **ADJUSTMENT_RECIPES,
    **CLOSING_RECIPES,
    **DONATION_RECIPES,
    **PLEDGE_RECIPES,
    **PROVIDER_RECIPES,
    "charter.adopted": _charter_adopted,
    "distribution.published": _distribution_published,
    "distribution.approved": _distribution_approved,
    "distribution.arbitrated": arbitration_ended,
    "arbitration.proposed": arbitration_proposed,
    "arbitration.refused": arbitration_ended,
    "batch.prepared": _batch_prepared,
    "batch.approved_once": third_person_awaited,
    "payout.settled": _payout_settled,
    "payout.returned": payout_undone,
    "payout.rejected": payout_undone,
    "transfer.proposed": _transfer_proposed,
    "transfer.booked": _transfer_decided,
    "transfer.refused": _transfer_decided,
    "opening.proposed": _opening_proposed,
    "year_end.proposed": _year_end_proposed,
    "payment.taken_back": _payment_taken_back,
    "selfcheck.failed": _selfcheck_failed,
    "device.new": device_new,
    "person.invited": _person_invited,
    "invitation.shown": _invitation_shown,
    "month.lock_asked": _month_asked,
    "month.unlock_asked": _month_asked,
    "token.ending": token_ending,
    "factor.reset": factor_reset,
    "payee.account_changed": account_changed,
    "paper.refused": paper_refused,
    "payee.default_chosen": default_chosen,
    "payee.blocked": payee_blocked,
    **OF_ORGANISATIONS,
}
