"""Tells the workers, after commit, that rows are due; the beat's tick does the same work when this fails."""

import logging
import time
from functools import lru_cache
from typing import Any

from django.conf import settings
from django.db import transaction

from backend.core.failpoints import failpoint
from backend.core.logs import request_id

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 15.0  # after a failure the broker is left alone this long, so that no request waits for it twice
_open_until = 0.0


@lru_cache(maxsize=1)
def _producer() -> Any:
    """A Celery producer that gives up after a second and never retries."""
    from celery import Celery

    app = Celery("tronc-producer", broker=settings.CELERY_BROKER_URL)
    app.conf.update(
        broker_transport_options={"socket_connect_timeout": 0.5, "socket_timeout": 1.0},
        task_ignore_result=True,
        broker_connection_retry=False,
    )
    return app


def nudge(sweep: str) -> None:
    """Ask for a sweep by its name once the current transaction is committed.

    A failure is logged and forgotten: the row is committed, and the timetable finds it.
    """
    transaction.on_commit(lambda: _send(sweep))


def _send(sweep: str) -> None:
    global _open_until  # noqa: PLW0603  one circuit breaker per process
    failpoint("nudge.before_send")
    if time.monotonic() < _open_until:
        return
    try:
        _producer().send_task("tronc.sweep", args=[sweep], retry=False, expires=60, headers=_caused_by())
    except Exception as failure:
        _open_until = time.monotonic() + PAUSE_SECONDS
        logger.warning("nudge %s not sent (%s); the timetable will do it", sweep, type(failure).__name__)


def _caused_by() -> dict[str, str]:
    """The id of the request that made rows due, so that its lines and the worker's can be read together."""
    name = request_id()
    return {"request_id": name} if name else {}
