"""A moment that goes on: for work that begins at a given time and takes a while."""

import time
from collections.abc import Callable
from datetime import datetime, timedelta


def ticking(now: datetime) -> Callable[[], datetime]:
    """A clock that says `now` at first, and what has passed since more at each reading."""
    started = time.monotonic()
    return lambda: now + timedelta(seconds=time.monotonic() - started)
