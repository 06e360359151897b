"""The Celery application: `celery -A worker.app worker` and `celery -A worker.app beat`."""

import os
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
django.setup()

import structlog  # noqa: E402
from celery import Celery, signals  # noqa: E402
from django.conf import settings  # noqa: E402

from worker.schedule import beat_schedule  # noqa: E402

app = Celery("tronc", broker=settings.CELERY_BROKER_URL, include=["worker.tasks"])
app.conf.update(
    beat_schedule=beat_schedule(),
    timezone="UTC",
    task_ignore_result=True,
    task_acks_late=True,  # a task may run twice: every sweep is safe a hundred times
    task_reject_on_worker_lost=True,
    worker_prefetch_multiplier=1,
    worker_hijack_root_logger=False,
    broker_connection_retry_on_startup=True,
    broker_connection_max_retries=None,
    broker_transport_options={"visibility_timeout": 600, "socket_keepalive": True},
    worker_cancel_long_running_tasks_on_connection_loss=False,
)


@signals.setup_logging.connect  # type: ignore[untyped-decorator]  # Celery ships no types
def keep_our_logging(**_facts: Any) -> None:
    """The settings already say how lines are written: Celery must not add its own."""


@signals.task_prerun.connect  # type: ignore[untyped-decorator]
def name_the_work(task_id: str, task: Any, args: Any, **_facts: Any) -> None:
    """Put the sweep's name, and the id of the request that asked for it, in every line of this task."""
    structlog.contextvars.clear_contextvars()
    structlog.contextvars.bind_contextvars(task_id=task_id, sweep=str(args[0]) if args else "")
    if caused_by := getattr(task.request, "request_id", None):
        structlog.contextvars.bind_contextvars(request_id=str(caused_by))


@signals.task_postrun.connect  # type: ignore[untyped-decorator]
def forget_the_work(**_facts: Any) -> None:
    """The next task is another story."""
    structlog.contextvars.clear_contextvars()
