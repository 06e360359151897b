"""By which door the present work came in: a page, the API, a background task, or a command."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

ORIGINS = ("web", "api", "command", "task")
_origin: ContextVar[str] = ContextVar("tronc_origin", default="command")


def origin() -> str:
    """The door of the present work; what nobody let in by a page, the API or a task is a command."""
    return _origin.get()


@contextmanager
def came_by(door: str) -> Iterator[None]:
    """Say by which door the work inside came in. Args: door: one of ORIGINS."""
    token = _origin.set(door)
    try:
        yield
    finally:
        _origin.reset(token)
