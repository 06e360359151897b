"""The same act many times at once, over real connections."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from django.db import connections

from backend.core.errors import DomainError


def at_once(act: Callable[[int], Any], times: int = 10) -> list[Any]:
    """Run `act` in threads that start together, each on its own connection.

    Returns: what each gave, or the code of the refusal it met.
    """
    start = threading.Barrier(times)

    def run(number: int) -> Any:
        try:
            start.wait(30)
            return act(number)
        except DomainError as refusal:
            return refusal.code
        finally:
            connections.close_all()

    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(run, range(times)))
