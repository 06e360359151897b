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
    for key in list(due.order_by("pk").values_list("pk", flat=True)[:BATCH]):
        try:
            with transaction.atomic():
                row = due.select_for_update(skip_locked=True, of=("self",)).filter(pk=key).first()
                if row is None:  # treated or being treated by another
                    continue
                act(row)
                treated += 1
        except OperationalError:
            raise
        except Exception:
            logger.exception("sweep: %s %s left due", due.model.__name__, key)
    return treated
