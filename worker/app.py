"""The Celery application: `celery -A worker.app worker` and `celery -A worker.app beat`."""

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
django.setup()

from celery import Celery  # noqa: E402
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
