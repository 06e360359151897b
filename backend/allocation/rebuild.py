"""A second computation of a whole closing, from its trace alone, that can contradict the first.

It reads the charter's document and the frozen inputs that the trace carries, recomputes everything with fractions
(recount.py, recount_closing.py), and compares. It shares no code with the kernel, the rules, the tiers or the closing.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from backend.allocation.recount_closing import Recount
from backend.allocation.trace import TraceMismatch, canonical_json, digest

# In the order in which one thing follows from another, so that the first difference is the cause.
ORDER = ("engine", "snapshot_sha256", "seed", "charter", "waterfall", "steps", "moves", "purses", "persons", "settle")
LAST = ("arbitration", "totals")


def rebuild(trace: Mapping[str, Any]) -> dict[str, int]:
    """Recompute every person's minor units from a trace: its charter, its inputs, and what a meeting agreed.

    Returns {person id: minor units}. Raises TraceMismatch when the trace is incomplete or malformed.
    """
    with _reading():
        return {one["id"]: one["cents"] for one in Recount(trace).expected()["persons"]}


def verify(trace: Mapping[str, Any]) -> bool:
    """Check everything that a trace says against its charter and its inputs.

    Returns True. Raises TraceMismatch naming the first thing that does not follow, `param` its path.
    """
    with _reading():
        expected = Recount(trace).expected()
        found = digest(trace)
        if digest({**trace, **expected}) != found:  # as JSON texts: for Python 1 equals 1.0 and True
            for name in (*ORDER, *LAST):
                _same(name, trace[name], expected[name])
        _same("result_sha256", trace["result_sha256"], found)
    return True


@contextmanager
def _reading() -> Iterator[None]:
    """A trace comes from outside: whatever is missing or of another type is one clear refusal."""
    try:
        yield
    except TraceMismatch:
        raise
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError, RecursionError) as error:
        raise TraceMismatch("malformed", f"The trace is incomplete or malformed: {error!r:.200}.") from error


def _same(where: str, stated: Any, computed: Any) -> None:
    """Compare two JSON values down to the first leaf that differs."""
    if isinstance(stated, Mapping) and isinstance(computed, Mapping) and stated.keys() == computed.keys():
        for key in computed:
            _same(f"{where}.{key}", stated[key], computed[key])
    elif isinstance(stated, list) and isinstance(computed, list) and len(stated) == len(computed):
        for index, (one, other) in enumerate(zip(stated, computed, strict=True)):
            _same(f"{where}[{index}]", one, other)
    # Compared as texts: for Python 1 equals 1.0 and True, for the digest they differ.
    elif canonical_json(stated) != canonical_json(computed):
        said, found = f"{stated!r:.200}", f"{computed!r:.200}"
        raise TraceMismatch("mismatch", f"{where}: the trace says {said}, the computation gives {found}.", where)
