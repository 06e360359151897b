"""The sweep loop: one committed transaction per due row, safe to run a hundred times and beside itself."""

import logging
from collections.abc import Callable
from typing import Any

from django.db import OperationalError, models, transaction

logger = logging.getLogger(__name__)

BATCH = 500


def sweep_rows(due: "models.QuerySet[Any]", act: Callable[[Any], None]) -> int:
    """Act on each due row under its lock; a row that fails is logged and left due, the others go on.

    Args: due: the rows still to be treated; each must leave the set by being acted on. act: called with the locked row.
    Returns: how many rows were treated.
    """
    treated = 0
    rest = due.order_by("pk")
    while keys := list(rest.values_list("pk", flat=True)[:BATCH]):
        treated += sum(_treat(due, key, act) for key in keys)
        rest = due.order_by("pk").filter(pk__gt=keys[-1])  # a row left due does not hold up the ones behind it
    return treated


def _treat(due: "models.QuerySet[Any]", key: Any, act: Callable[[Any], None]) -> bool:
    """Act on one row in its own transaction; False when another treats it or it failed."""
    try:
        with transaction.atomic():
            row = due.select_for_update(skip_locked=True, of=("self",)).filter(pk=key).first()
            if row is None:
                return False
            act(row)
            return True
    except OperationalError:
        raise
    except Exception:
        logger.exception("sweep: %s %s left due", due.model.__name__, key)
        return False
