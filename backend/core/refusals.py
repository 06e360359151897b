"""The refusals of the present request, kept until its answer is made: the audit trail writes down those that were."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_noted: ContextVar[list[BaseException] | None] = ContextVar("tronc_refusals", default=None)


def note(refusal: BaseException) -> None:
    """Remember a refusal that was made; it counts only when it is also raised. Outside of a request, do nothing."""
    kept = _noted.get()
    if kept is not None:
        kept.append(refusal)


@contextmanager
def listening() -> Iterator[list[BaseException]]:
    """Collect what is noted inside, in order."""
    kept: list[BaseException] = []
    token = _noted.set(kept)
    try:
        yield kept
    finally:
        _noted.reset(token)


def raised(kept: list[BaseException]) -> BaseException | None:
    """The first that was raised: a page also makes refusals only to say why a button is not there."""
    return next((refusal for refusal in kept if refusal.__traceback__ is not None), None)
