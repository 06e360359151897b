"""How long each class of personal data is kept, in one table, and the daily job that removes what is past it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Greatest
from django.utils.translation import gettext_lazy as _

from backend.contributions.deliveries import KEPT as DELIVERY_KEPT
from backend.contributions.models import ForgeDelivery
from backend.core.crypto import destroy_key
from backend.core.idempotency import KEEP, try_lock
from backend.core.models import IdempotencyRecord, PersonKey
from backend.distributions.models import SupportingDocument
from backend.events.models import Event
from backend.events.services import record
from backend.identity.models import ApiToken, Host, KnownDevice, PersonMerge, Recording, User
from backend.notifications.models import OutgoingMail
from backend.payments.models import Notice
from backend.pledges.donations import UNPAID_KEPT, unpaid_donors
from backend.privacy.donors import forget_unpaid
from backend.privacy.erasure import ask_for_unused
from backend.privacy.hindrances import hindrances
from backend.privacy.models import Erasure, RetentionRun
from backend.privacy.receipts import forget_paid, paid_since

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

MONTH = timedelta(days=365.25) / 12
EACH = timedelta(days=1)
RUNS_KEPT = 400
DONE = ("sent", "bounced", "given_up")
INACTIVE_WARNED, INACTIVE = 35 * MONTH, 36 * MONTH
UNUSED = 6 * MONTH
PAPERS_KEPT = 11 * 12 * MONTH  # ten years after the end of the fiscal year: Code de commerce, L123-22


@dataclass(frozen=True)
class Class:
    """One class of personal data: how it is called, how long it is kept, since when, and the rows past it.

    `remove` says how many rows it treated; None: the rows found are deleted.
    """

    label: "_StrPromise"
    kept: timedelta
    since: "_StrPromise"
    past: "Callable[[datetime], QuerySet[Any]]"
    remove: "Callable[[QuerySet[Any], datetime], int] | None" = None


def _sessions(now: datetime) -> "QuerySet[Session]":
    return Session.objects.filter(expire_date__lt=now)


def _listed_sessions(now: datetime) -> "QuerySet[UserSession]":
    alive = Session.objects.filter(session_key=OuterRef("session_key"), expire_date__gte=now)
    rows: QuerySet[UserSession] = UserSession.objects.filter(~Exists(alive))
    return rows


def _mails(now: datetime) -> "QuerySet[OutgoingMail]":
    return OutgoingMail.objects.filter(event__isnull=False, state__in=DONE, due_at__lt=now - 12 * MONTH)


def _account_mails(now: datetime) -> "QuerySet[OutgoingMail]":
    return OutgoingMail.objects.filter(event__isnull=True, state__in=DONE, due_at__lt=now - timedelta(days=30))


def _tokens(now: datetime) -> "QuerySet[ApiToken]":
    limit = now - 12 * MONTH
    return ApiToken.objects.filter(Q(expires_at__lt=limit) | Q(revoked_at__lt=limit))


def _old_papers(now: datetime) -> "QuerySet[SupportingDocument]":
    """Those whose accounting year ended ten years ago at least, and which can still be read."""
    gone = PersonKey.objects.filter(owner=OuterRef("pk"), destroyed_at__isnull=False)
    rows = SupportingDocument.objects.filter(made_at__lt=now - PAPERS_KEPT).exclude(file_sealed="")
    return rows.filter(~Exists(gone))


def _forget_papers(rows: "QuerySet[SupportingDocument]", now: datetime) -> int:
    """Make them unreadable for ever; numbers and totals stay."""
    return sum(destroy_key(key, now) for key in list(rows.values_list("pk", flat=True)))


def _unused(now: datetime) -> "QuerySet[User]":
    """Accounts that were never opened, of people for whom nothing was recorded either."""
    invited = Event.objects.filter(kind="person.invited", subject=OuterRef("pk")).order_by("-created_at")
    since = Greatest("date_joined", Coalesce(Subquery(invited.values("created_at")[:1]), "date_joined"))
    never = User.objects.filter(is_active=True, last_login=None, contributions=None, payees=None, erasures=None)
    spoken_for = Recording.objects.filter(asked=OuterRef("pk"))  # they may never need an account
    return never.annotate(since=since).filter(~Exists(spoken_for), since__lt=now - UNUSED)


def _inactive(now: datetime) -> "QuerySet[User]":
    """Accounts that nobody used for so long that their person is told of the coming erasure."""
    limit = now - INACTIVE_WARNED
    asked = Erasure.objects.filter(user=OuterRef("pk"), withdrawn_at=None)
    used = ApiToken.objects.filter(user=OuterRef("pk"), last_used_at__gte=limit)
    kept = Erasure.objects.filter(user=OuterRef("pk"), withdrawn_at__gte=limit)
    rows = User.objects.filter(is_active=True, last_login__lt=limit)
    return rows.filter(~Exists(asked), ~Exists(used), ~Exists(kept))


def _announce(cause: str, delay: timedelta) -> "Callable[[QuerySet[Any], datetime], int]":
    """Announce the erasure of accounts, one transaction each; those whom something hinders are left alone."""

    def announce(rows: "QuerySet[Any]", now: datetime) -> int:
        announced = 0
        for key in list(rows.order_by("pk").values_list("pk", flat=True)):
            with transaction.atomic():
                person = User.objects.select_for_update().get(pk=key)
                if next(iter(hindrances(person)), None) is not None or not rows.filter(pk=key).exists():
                    continue
                ask_for_unused(user=person, cause=cause, due_at=now + delay, now=now)
                announced += 1
        return announced

    return announce


CLASSES: dict[str, Class] = {
    "sessions": Class(_("Sessions"), timedelta(hours=12), _("since the sign-in"), _sessions),
    "listed_sessions": Class(
        _("Address and browser of a session"), timedelta(hours=12), _("since the sign-in"), _listed_sessions
    ),
    "devices": Class(
        _("Known browsers"), 13 * MONTH, _("since they were last seen"),
        lambda now: KnownDevice.objects.filter(last_seen_at__lt=now - 13 * MONTH),
    ),
    "account_mails": Class(
        _("Mail with links and codes of the account"), timedelta(days=30), _("since it was sent"), _account_mails
    ),
    "mails": Class(_("Other mail that was sent"), 12 * MONTH, _("since it was sent"), _mails),
    "idempotency": Class(
        _("Answers kept for repeated requests"), KEEP, _("since the request"),
        lambda now: IdempotencyRecord.objects.filter(created_at__lt=now - KEEP),
    ),
    "notices": Class(
        _("Events of the payment provider"), 13 * MONTH, _("since they came"),
        lambda now: Notice.objects.filter(received_at__lt=now - 13 * MONTH).exclude(state__in=["waiting", "stuck"]),
    ),
    "deliveries": Class(
        _("What forges told of commits"), DELIVERY_KEPT, _("since it came"),
        lambda now: ForgeDelivery.objects.filter(received_at__lt=now - DELIVERY_KEPT),
    ),
    "supporting_documents": Class(
        _("Supporting documents of payments"),
        PAPERS_KEPT,
        _("since they were handed over"),
        _old_papers,
        _forget_papers,
    ),
    "tokens": Class(_("API tokens that ended"), 12 * MONTH, _("since they ended or were revoked"), _tokens),
    "merges": Class(
        _("Requests to merge two accounts that came to nothing"), timedelta(days=30), _("since they were made"),
        lambda now: PersonMerge.objects.filter(asked_at__lt=now - timedelta(days=30)).exclude(state="merged"),
    ),
    "unused": Class(
        _("Accounts that were never opened"), UNUSED, _("since the invitation or the sign-up"), _unused,
        _announce("unused", timedelta(0)),
    ),
    "donors": Class(
        _("Donors without an account, of whom nothing was received"), UNPAID_KEPT, _("since they promised"),
        unpaid_donors, forget_unpaid,
    ),
    "refunds": Class(
        _("Account of a refund to a donor who was forgotten"), timedelta(0), _("since the bank showed it paid"),
        lambda _now: paid_since(), forget_paid,
    ),
    "inactive": Class(
        _("Accounts without use (told a month before)"), INACTIVE, _("since the last sign-in or use of a token"),
        _inactive, _announce("inactive", INACTIVE - INACTIVE_WARNED),
    ),
}  # fmt: skip


def count_due(now: datetime) -> dict[str, int]:
    """Class → how many rows the job would treat now. Changes nothing."""
    return {name: one.past(now).count() for name, one in CLASSES.items()} | {"limits": _limits(now, remove=False)}


def retain(now: datetime) -> int:
    """Remove what is past its time, class by class, at most once a day; returns how many rows were treated."""
    if RetentionRun.objects.filter(ran_at__gt=now - EACH).exists():
        return 0
    with transaction.atomic():
        if not try_lock("privacy.retain") or RetentionRun.objects.filter(ran_at__gt=now - EACH).exists():
            return 0
        run = RetentionRun.objects.create(ran_at=now)
    run.removed = apply_now(now)
    run.save(update_fields=["removed"])
    old = RetentionRun.objects.order_by("-pk").values_list("pk", flat=True)[RUNS_KEPT : RUNS_KEPT + 1]
    RetentionRun.objects.filter(pk__lte=next(iter(old), 0)).delete()
    return sum(run.removed.values())


def apply_now(now: datetime, *, always: bool = False) -> dict[str, int]:
    """Remove what is past its time now, and record the counts as one event when there was anything.

    Args: always: record it even when nothing was past its time, for somebody asked for it.
    Returns: class → rows treated, those alone where there were some.
    """
    removed = {name: _remove(one, now) for name, one in CLASSES.items()} | {"limits": _limits(now, remove=True)}
    removed = {name: count for name, count in removed.items() if count}
    if removed or always:
        host = Host.objects.values_list("pk", flat=True).first() or ""
        record("retention.applied", actor=None, subject=host, now=now, removed=removed)
    return removed


def _remove(one: Class, now: datetime) -> int:
    rows = one.past(now)
    if one.remove is not None:
        return one.remove(rows, now)
    with transaction.atomic():
        return rows.delete()[0]


def _limits(now: datetime, *, remove: bool) -> int:
    """The counts behind the limits of sign-in, which know addresses: PostgreSQL's cache keeps them past their time."""
    with connection.cursor() as cursor:
        if remove:
            cursor.execute("DELETE FROM core_cache WHERE expires < %s", [now])
            return int(cursor.rowcount)
        cursor.execute("SELECT count(*) FROM core_cache WHERE expires < %s", [now])
        return int(cursor.fetchone()[0])
