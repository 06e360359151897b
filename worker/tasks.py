"""The only task: run a sweep by its name."""

from celery import shared_task
from django.db import close_old_connections
from django.utils import timezone

from backend.operations.metrics import run_sweep


@shared_task(name="tronc.sweep")  # type: ignore[untyped-decorator]  # Celery ships no types
def sweep(name: str) -> int:
    """Run one sweep; an unknown name (an older or newer producer) is an error in the log, never a lost row."""
    close_old_connections()
    try:
        return run_sweep(name, timezone.now())
    finally:
        close_old_connections()
