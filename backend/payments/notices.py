"""Events of the provider: verified, kept once by their id, answered at once; treated later by reading what is true."""

import json
import logging
from datetime import datetime
from typing import Any, cast

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _

from backend.core.errors import Conflict
from backend.core.failpoints import failpoint
from backend.core.ids import new_id
from backend.core.nudge import nudge
from backend.core.ticking import ticking
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import require
from backend.payments.models import Notice
from backend.payments.operations import later, wanted_provider
from backend.payments.providers import the_provider
from backend.payments.providers.base import About, NoAnswer
from backend.payments.providers.stripe_notices import sign
from backend.payments.syncing import sync

logger = logging.getLogger(__name__)

SWEEP = "payments.treat_notices"
TRIES = 20
BATCH = 200  # events of one turn
TEST = "tronc.test"
ERROR = 280


def receive_notice(*, body: bytes, signature: str, now: datetime) -> Notice:
    """Keep an event that the provider sent, once; a repetition is counted. Moves no money.

    Args: body: its raw bytes, verified before anything is read. signature: the header's value.
    Raises: BadNotice when it is not what it says; Conflict `no_provider`.
    """
    provider = wanted_provider()
    facts = provider.open_notice(body, signature, now=now)
    made = Notice(
        id=new_id("ntc"), provider=provider.name, remote_id=facts.remote_id, type=facts.type, thing=facts.about,
        about=facts.object_id,
        sent_at=facts.sent_at, received_at=now, next_try_at=now,
        **({"state": "unknown", "treated_at": now} if facts.about == "nothing" else {}),
    )  # fmt: skip
    with transaction.atomic():
        Notice.objects.bulk_create([made], ignore_conflicts=True)
        row = Notice.objects.select_for_update().get(provider=provider.name, remote_id=facts.remote_id)
        if row.pk != made.pk:
            Notice.objects.filter(pk=row.pk).update(times=F("times") + 1)
        elif row.state == "waiting":
            nudge(SWEEP)
        failpoint("notice.kept")
    return row


def waiting(now: datetime) -> "QuerySet[Notice]":
    """The events to treat now."""
    return Notice.objects.filter(state="waiting", next_try_at__lte=now)


def treat_notices(now: datetime) -> int:
    """Read what the waiting events are about, and book what it moved; returns how many were treated.

    The first one that gets no answer ends the turn: the provider is away, and nobody waits for it twice.
    """
    provider = the_provider()
    if provider is None:
        return 0
    clock, treated = ticking(now), 0
    done: set[str] = set()
    for row in list(waiting(now).filter(provider=provider.name).order_by("received_at", "pk")[:BATCH]):
        if row.pk in done:
            continue
        # What is read now is newer than all the events that are here about it.
        same = waiting(now).filter(provider=provider.name, thing=row.thing, about=row.about)
        keys = list(same.values_list("pk", flat=True))
        at = clock()
        try:
            known = sync(about=cast(About, row.thing), object_id=row.about, told_by="event", now=at)
        except NoAnswer as lost:
            _put_off(row, lost, at)
            break
        except Exception as failure:
            logger.exception("provider: event %s %s left waiting", row.pk, row.type)
            _put_off(row, failure, at)
            continue
        error = "" if known else "the provider knows no such thing"
        treated += Notice.objects.filter(pk__in=keys, state="waiting").update(
            state="done", treated_at=at, attempts=F("attempts") + 1, error=error
        )
        done |= set(keys)
    return treated


def _put_off(row: Notice, failure: Exception, now: datetime) -> None:
    """Try it again later; after too many times it waits for a treasurer."""
    lost = isinstance(failure, NoAnswer)
    Notice.objects.filter(pk=row.pk, state="waiting").update(
        # A provider that is away is no fault of the event: it waits as long as it takes.
        state="stuck" if row.attempts + 1 >= TRIES and not lost else "waiting",
        attempts=F("attempts") + (0 if lost else 1), next_try_at=now + later(row.attempts + 1, failure),
        error=f"{type(failure).__name__}: {failure}"[:ERROR],
    )  # fmt: skip


def send_test(*, actor: User, now: datetime) -> Notice:
    """Sign an event as the provider would and take it in by the same door, without the network. Moves no money.

    Raises: Forbidden; Conflict `no_provider`, `no_webhook_secret`.
    """
    require(actor, "provider.operate")
    provider = wanted_provider()
    secrets: list[str] = list(settings.STRIPE_WEBHOOK_SECRETS)
    if not secrets:
        raise Conflict("no_webhook_secret", _("No secret of the provider’s events is set up: none can be verified."))
    body = _test_event(provider.live, now)
    row = receive_notice(body=body, signature=sign(body, secrets[0], at=int(now.timestamp())), now=now)
    record("provider.tested", actor=actor, subject=row.pk, now=now)
    return row


def _test_event(live: bool, now: datetime) -> bytes:
    event: dict[str, Any] = {
        "id": new_id("evt"), "object": "event", "type": TEST, "created": int(now.timestamp()),
        "livemode": live, "data": {"object": {"id": "", "object": "tronc"}},
    }  # fmt: skip
    return json.dumps(event).encode()
