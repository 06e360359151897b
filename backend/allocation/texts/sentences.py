"""The one table from a rule to its sentences: a new rule takes one line here."""

from collections.abc import Callable

from backend.allocation.kernel import AllocationError
from backend.allocation.rules import FLOORS_NOT_MET
from backend.allocation.texts import by_requests, by_work, rates
from backend.allocation.texts.words import Row, Teller

TellPerson = Callable[[Teller, Row, Row], list[str]]
TellRate = Callable[[Teller, Row], str]
# rule: (what it did for one person, the one figure that a treasurer checks it by)
SENTENCES: dict[str, tuple[TellPerson, TellRate]] = {
    "as_asked": (by_requests.as_asked, rates.served),
    "catch_up": (by_work.catch_up, rates.per_hour),
    "claims_cea": (by_requests.claims_cea, rates.level),
    "claims_cel": (by_requests.claims_cel, rates.loss),
    "claims_pro": (by_requests.claims_pro, rates.percentage),
    "claims_talmud": (by_requests.claims_talmud, rates.level_or_loss),
    "equal": (by_work.equal, rates.level),
    "weighted": (by_work.weighted, rates.per_hour),
}
BY_REQUESTS = frozenset({"as_asked", "claims_cea", "claims_cel", "claims_pro", "claims_talmud"})


def sentences_of(step: Row) -> tuple[TellPerson, TellRate]:
    """The sentences of a step's rule. Raises AllocationError no_sentence."""
    if step["rule"] not in SENTENCES:
        known = ", ".join(sorted(SENTENCES))
        raise AllocationError("no_sentence", f"No sentences for {step['rule']!r:.80}: use one of {known}.", "rule")
    return SENTENCES[step["rule"]]


__all__ = ["BY_REQUESTS", "FLOORS_NOT_MET", "SENTENCES", "sentences_of"]
