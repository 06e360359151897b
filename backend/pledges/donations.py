"""Gifts of people without an account: made, stopped, taken into an account later, forgotten. None of it moves money."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from allauth.account.models import EmailAddress
from django.core import signing
from django.db import connection, transaction
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.commons.services import OPEN_TO_PLEDGES
from backend.core import crypto
from backend.core.errors import Conflict, Invalid, NotFound
from backend.core.ids import new_id
from backend.core.money import exponent, format_money, require_amount, require_currency
from backend.events.services import record
from backend.identity.models import User
from backend.identity.naming import language_of, required_name, valid_address
from backend.identity.services import host_day
from backend.pledges.calendar import covers_until
from backend.pledges.changing import give_up
from backend.pledges.models import Donor, Instalment, Pledge
from backend.pledges.references import new_reference

if TYPE_CHECKING:
    from collections.abc import Iterable

SALT = "gift"
# Rhythms offered to somebody without an account.
RHYTHMS = ("once", "monthly", "yearly")
# Whole units that one instalment may come to without an account: nobody answers for what a stranger types.
MOST_WHOLE = 10_000
# A donor of whom nothing was ever received is forgotten after so long.
UNPAID_KEPT = 13 * timedelta(days=365.25) / 12


@transaction.atomic
def give(
    *,
    budget: Budget,
    name: str,
    email: str,
    amount: int,
    currency: str,
    rhythm: str,
    named: bool,
    language: str,
    form_key: str,
    now: datetime,
) -> Pledge:
    """Promise a gift without an account, to be paid by bank transfer. Anyone may; it moves no money.

    The answer is the same whether the address is known or not: each gift has its own donor.
    Args: amount: minor units of one instalment. rhythm: one of RHYTHMS. named: whether the public reads the name.
        form_key: made with the form; a repetition gives back the first gift.
    Returns: the pledge; who has its link (see `gift_code`) may read and stop it.
    Raises: Invalid `unknown_currency`, `other_currency`, `amount_out_of_range`, `gift_too_large`, `rhythm_unknown`,
        `name_missing`, `name_with_address`, `email_invalid`; Conflict `budget_not_open`, `form_key_reused`.
    """
    require_currency(currency)
    if currency != budget.currency:
        raise Invalid(
            "other_currency",
            _("This pot is kept in %(currency)s: pledge in that currency.") % {"currency": budget.currency},
            param="currency",
        )
    require_amount(amount)
    if amount > (most := largest(currency)):
        raise Invalid(
            "gift_too_large",
            _("Without an account, a gift is of %(amount)s at most each time: make an account for a larger one.")
            % {"amount": format_money(most, currency)},
            param="amount",
        )
    if rhythm not in RHYTHMS:
        raise Invalid("rhythm_unknown", _("Choose how often."), param="rhythm")
    name, email = required_name(name, "name"), valid_address(email)
    with connection.cursor() as cursor:  # a double click waits here, and finds what the first one made
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"gift:{form_key}"])
    first = Pledge.objects.filter(donor__isnull=False, form_key=form_key).select_related("donor").first()
    if first is not None:
        return _same(first, (budget.pk, amount, rhythm, name, crypto.equality_index(email), named))
    # Held, so that it is not closed meanwhile.
    held = Budget.objects.select_for_update(of=("self",), no_key=True).select_related("commons").get(pk=budget.pk)
    if held.state not in OPEN_TO_PLEDGES or held.commons.state != "open":
        raise Conflict("budget_not_open", _("This budget does not take pledges at present."), param="budget")
    donor = _donor(name, email, language, now)
    pledge = Pledge.objects.create(
        id=new_id("plg"), budget=held, donor=donor, made_by=None, amount=amount, currency=currency, rhythm=rhythm,
        starts_on=host_day(now), visibility="visible" if named else "anonymous", group=new_id("grp"),
        reference=new_reference(), form_key=form_key, created_at=now,
    )  # fmt: skip
    _call_first(pledge, now)
    record(
        "gift.made", actor=None, subject=pledge.pk, now=now, scopes=[budget.pk, donor.pk], amount=amount,
        currency=currency, rhythm=rhythm,
    )  # fmt: skip
    pledge.refresh_from_db(fields=["expected"])
    return pledge


def _same(first: Pledge, sent: tuple[object, ...]) -> Pledge:
    """The gift that this form made already; refused when it was sent again with something else in it."""
    donor = first.donor
    assert donor is not None
    # A gift whose donor was forgotten knows neither name nor address any more: it is another form.
    kept = (
        first.budget_id, first.amount, first.rhythm, donor.name, donor.email_index, first.visibility == "visible"
    )  # fmt: skip
    if kept != sent:
        raise Conflict(
            "form_key_reused", _("This form was already sent with other values. Open a new one for another pledge.")
        )
    return first


def largest(currency: str) -> int:
    """The largest instalment of a gift without an account, in minor units."""
    return MOST_WHOLE * int(10 ** exponent(currency))


def believed() -> Q:
    """The pledges that public figures and lists count: a gift without an account does once money came of it.

    Anyone can type any name, amount and address there; one that was taken into an account is that person's promise.
    """
    return Q(donor=None) | Q(donor__claimed_by__isnull=False) | Q(received__gt=0)


def _donor(name: str, email: str, language: str, now: datetime) -> Donor:
    key = new_id("don")
    return Donor.objects.create(
        id=key, name_sealed=crypto.seal_for(key, name, bound_to=key),
        email_sealed=crypto.seal_for(key, email, bound_to=key), email_index=crypto.equality_index(email),
        language=language_of(language), created_at=now,
    )  # fmt: skip


def _call_first(pledge: Pledge, now: datetime) -> None:
    """The first instalment of a gift is called by the page and the mail that follow it."""
    Instalment.objects.create(
        id=new_id("ins"), pledge=pledge, number=1, due_on=pledge.starts_on, amount=pledge.amount,
        covers_until=covers_until(pledge.starts_on, pledge.rhythm, 1),
        currency=pledge.currency, state="called", called_at=now, created_at=now,
    )  # fmt: skip


def gift_code(pledge: Pledge) -> str:
    """What the address of a gift's page ends with: nobody can guess it, and it opens that gift alone."""
    return signing.dumps(pledge.pk, salt=SALT)


def gift_of(code: str) -> Pledge:
    """The gift that a code opens.

    Raises: NotFound `gift_not_found`, also once its donor was forgotten, or took it into an account: it is read there,
    and whoever typed the address of somebody else holds a link that opens nothing.
    """
    pledge = _coded(code).filter(donor__claimed_by=None).first()
    if pledge is None:
        raise NotFound("gift_not_found", _("No gift has this address. Open the link of the message again."))
    return pledge


def claimed_gift(code: str, user: User) -> Pledge | None:
    """The gift that a code opened before this person took it into their account."""
    return _coded(code).filter(donor__claimed_by=user).first()


def _coded(code: str) -> "QuerySet[Pledge]":
    try:
        key = signing.loads(code, salt=SALT)
    except signing.BadSignature:
        key = ""
    rows = Pledge.objects.select_related("budget__commons", "donor__claimed_by")
    return rows.filter(pk=key, donor__isnull=False).exclude(donor__name_sealed="")


@transaction.atomic
def stop_gift(*, code: str, now: datetime) -> Pledge:
    """Stop a gift: nothing more is awaited; what was received stays. Whoever has its link may. Moves no money.

    Raises: NotFound `gift_not_found`.
    """
    pledge = Pledge.objects.select_for_update(of=("self",)).get(pk=gift_of(code).pk)
    _stop(pledge, now)
    return pledge


def _stop(pledge: Pledge, now: datetime) -> None:
    """The caller holds the pledge."""
    if pledge.state != "active":
        return
    before = pledge.expected
    give_up(pledge, now=now)
    record(
        "pledge.cancelled", actor=None, subject=pledge.pk, now=now, scopes=[pledge.budget_id, pledge.payer_id],
        before={"state": "active", "expected": before}, after={"state": "cancelled", "expected": 0},
    )  # fmt: skip


def _addressed(user: User) -> "QuerySet[Donor]":
    """The donors, not claimed yet, who gave with an address that a person has verified."""
    verified = EmailAddress.objects.filter(user=user, verified=True).values_list("email", flat=True)
    indexes = [crypto.equality_index(str(address).strip().lower()) for address in verified]
    return Donor.objects.filter(email_index__in=indexes, claimed_by=None).exclude(name_sealed="")


def gifts_to_claim(user: User) -> "QuerySet[Pledge]":
    """The gifts made without an account from an address that a person has verified since."""
    return Pledge.objects.filter(donor__in=_addressed(user)).select_related("budget__commons").order_by("created_at")


def own_gifts(user: User) -> "QuerySet[Pledge]":
    """What a person gives in their own name, and what they gave before they had an account, the latest first."""
    mine = Pledge.objects.filter(person=user) | Pledge.objects.filter(donor__claimed_by=user)
    return mine.select_related("budget__commons", "donor").order_by("-created_at", "-pk")


@transaction.atomic
def claim_gifts(*, actor: User, now: datetime) -> int:
    """Take into one's account the gifts made from one's verified addresses; returns how many. Moves no money."""
    donors = list(_addressed(actor).select_for_update(of=("self",)).order_by("pk"))
    for donor in donors:
        donor.claimed_by, donor.claimed_at = actor, now
        donor.save(update_fields=["claimed_by", "claimed_at"])
        record("gift.claimed", actor=actor, subject=donor.pk, now=now, scopes=[donor.pk])
    return len(donors)


def unpaid_donors(now: datetime) -> "QuerySet[Donor]":
    """Donors without an account of whom nothing was received, and whose last promise is long past."""
    known = Donor.objects.filter(claimed_by=None, created_at__lt=now - UNPAID_KEPT).exclude(name_sealed="")
    return known.exclude(pledges__received__gt=0)


def donors_of(user: User) -> "QuerySet[Donor]":
    """The donors that are this person: claimed, or with an address they verified."""
    return Donor.objects.filter(claimed_by=user).exclude(name_sealed="") | _addressed(user)


@transaction.atomic
def forget_donors(keys: "Iterable[str]", *, now: datetime) -> list[str]:
    """Forget who gave: the name, the address and the key that sealed them go; what is awaited is given up.

    The gifts stay, without a name: the money was booked. The caller erases the mail to the addresses.
    Returns: the addresses that were theirs.
    """
    addresses = []
    for donor in Donor.objects.select_for_update(of=("self",)).filter(pk__in=list(keys)).order_by("pk"):
        if not donor.name_sealed:
            continue
        addresses.append(donor.email)
        for pledge in donor.pledges.select_for_update(of=("self",)).order_by("pk"):
            _stop(pledge, now)
            pledge.visibility, pledge.pseudonym = "anonymous", ""
            pledge.save(update_fields=["visibility", "pseudonym"])
        donor.name_sealed = donor.email_sealed = donor.email_index = ""
        donor.save(update_fields=["name_sealed", "email_sealed", "email_index"])
        crypto.destroy_key(donor.pk, now)
        record("donor.forgotten", actor=None, subject=donor.pk, now=now, scopes=[donor.pk])
    return addresses
