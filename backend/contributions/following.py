"""Work that follows its person to the account that stays, when two accounts turn out to be of one person."""

from datetime import datetime

from django.db import OperationalError, connection
from django.utils.translation import gettext_lazy as _

from backend.contributions.models import Adjustment, Contribution, Objection, Opinion, Question, Review
from backend.core.errors import Conflict
from backend.identity.models import Recording, User
from backend.ledger.services import balances
from backend.payees.models import Payee
from backend.payees.services import payee_of

UNDER_WAY = ("draft", "declared", "questioned", "validated")


def hold_work(person: User) -> list[Contribution]:
    """The work under way of a person whose account the caller holds, held too, without waiting for anybody.

    Waiting could stop both sides: a closing holds the work and waits for the account. Raises: Conflict `merge_busy`.
    """
    rows = Contribution.objects.select_for_update(of=("self",), nowait=True).select_related("budget")
    try:
        return list(rows.filter(contributor=person, state__in=UNDER_WAY).order_by("pk"))
    except OperationalError:
        raise Conflict(
            "merge_busy", _("Somebody is at work on one of these contributions: try again in a minute.")
        ) from None


def is_one(actor: User, person_id: str) -> bool:
    """Whether an account is this one, or was merged into it."""
    return person_id == actor.pk or User.objects.filter(pk=person_id, merged_into=actor).exists()


def is_owed(person: User) -> bool:
    """Whether the books say that money is owed to a person."""
    payees = list(Payee.objects.filter(user=person).values_list("pk", flat=True))
    return bool(payees) and any(balances(kind="payee", owners=payees).values())


def said_of_each_other(one: User, two: User) -> Contribution | None:
    """Work of one of them on which the other spoke, decided, or which the other recorded; None when there is none."""
    for author, peer in ((one, two), (two, one)):
        for row in (
            Review.objects.filter(contributor=author, reviewer=peer).first(),
            Question.objects.filter(contributor=author, asker=peer).first(),
            Objection.objects.filter(contributor=author, objector=peer).first(),
            Adjustment.objects.filter(contributor=author, decided_by=peer).first(),
        ):
            if row is not None:
                return row.contribution
        opinion = Opinion.objects.filter(contributor=author, steward=peer).first()
        opinion = opinion or Opinion.objects.filter(objector=author, steward=peer).first()
        if opinion is not None:
            return opinion.objection.contribution
        recorded = Contribution.objects.filter(contributor=author, recorded_by=peer).first()
        if recorded is not None:
            return recorded
    return None


def said_twice(one: User, two: User) -> Contribution | None:
    """Work under review, or validated, of which both reviewed the present version; None when there is none."""
    rows = Contribution.objects.filter(state__in=UNDER_WAY, reviews__reviewer=one).order_by("pk")
    for row in rows.distinct():
        said = row.reviews.filter(version=row.version, reviewer__in=[one.pk, two.pk])
        if said.values("reviewer").distinct().count() == 2:
            return row
    return None


def follow_merge(merged: User, keep: User, *, now: datetime) -> tuple[list[str], list[str]]:
    """Give the work under way of a merged account, with what peers said of it, to the account that stays.

    The caller holds both accounts and the work, and has set `merged_into`. What is shared out or ended stays.
    Returns: the ids of the contributions, and of their budgets.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT contribution, budget FROM contributions_follow_merge(%s)", [merged.pk])
        moved = cursor.fetchall()
    work = [row[0] for row in moved]
    if work:
        payee_of(keep, now=now)
        Recording.objects.filter(subject__in=work).update(asked=keep, on_behalf_of=keep.pk)
    return work, sorted({row[1] for row in moved})
