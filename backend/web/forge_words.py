"""What a delivery of a forge did, and why no draft was made, in words."""

from collections.abc import Callable, Iterator
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from backend.contributions.models import ForgeDelivery

# Why no draft was made, in words; another code is shown as it is.
WHY: dict[str, Any] = {
    "not_allowed": gettext_lazy("Its author does not contribute to this budget."),
    "period_closed": gettext_lazy("The period of its day is closed."),
    "day_outside_period": gettext_lazy("No open period reaches its day."),
    "drafts_full": gettext_lazy(
        "Its author has fifty drafts of one day to decide on already: they decide, then have their commits read again."
    ),
}


def done(row: ForgeDelivery) -> list[str]:
    """What a treated delivery did, a sentence for each sort of commit; why it did nothing where it did nothing."""
    if row.state != "treated":
        return []
    if row.nothing:
        return [row.get_nothing_display()]
    return list(_counted(row.did)) or [_("No commit is told in it. Nothing was to be done.")]


def _counted(did: dict[str, int]) -> Iterator[str]:
    """A sentence for each count that is there; the sorts are those of `deliveries.DONE`."""
    sentences: dict[str, Callable[[int], str]] = {
        "drafted": lambda n: ngettext("%(n)s draft made.", "%(n)s drafts made.", n),
        "declared": lambda n: ngettext(
            "%(n)s declared already by its contributor: no second draft.",
            "%(n)s declared already by their contributors: no second draft.", n,
        ),
        "known": lambda n: ngettext("%(n)s told before: no second draft.", "%(n)s told before: no second draft.", n),
        "unknown": lambda n: ngettext(
            "%(n)s by an author who is not known here: no draft yet.",
            "%(n)s by authors who are not known here: no draft yet.", n,
        ),
        "refused": lambda n: ngettext(
            "%(n)s of which no draft could be made: see “Commits to look at”.",
            "%(n)s of which no draft could be made: see “Commits to look at”.", n,
        ),
        "unreadable": lambda n: ngettext(
            "%(n)s whose duration cannot be read: no draft.", "%(n)s whose durations cannot be read: no draft.", n
        ),
        "plain": lambda n: ngettext(
            "%(n)s commit without a line “Contribution:”: nothing to do.",
            "%(n)s commits without a line “Contribution:”: nothing to do.", n,
        ),
        "merges": lambda n: ngettext(
            "%(n)s commit that merges: its request is told apart.",
            "%(n)s commits that merge: their requests are told apart.", n,
        ),
        "alike": lambda n: ngettext(
            "%(n)s looks like one written again (same author, time and words): no second draft. Where it is other "
            "work, whoever did it declares it by hand.",
            "%(n)s look like some written again (same author, time and words): no second drafts. Where they are other "
            "work, whoever did it declares it by hand.", n,
        ),
    }  # fmt: skip
    for name, told in sentences.items():
        if number := did.get(name, 0):
            yield told(number) % {"n": number}
