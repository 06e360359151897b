"""The part of the self-check that holds charters, traces and the rows they gave against each other.

It reads each stored trace once and computes nothing again: `manage.py recompute` does that.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from django.db.models import Prefetch

from backend.allocation.trace import ENGINE, canonical_json, digest, sha256
from backend.commons.models import Charter
from backend.contributions.models import Contribution
from backend.distributions.models import Arbitration, Distribution
from backend.distributions.services import settled_lines
from backend.ledger.audit import FEW, Finding

AT_ONCE = 20  # distributions in memory together: a trace of a large pot is megabytes
EARLIER = "tronc-allocation/1"  # its traces say less: they are held against their digest alone


def sharing() -> list[Finding]:
    """What is not as it was adopted, frozen, computed or agreed; at most a few findings of each kind."""
    counts: dict[str, int] = {}
    found = []
    for one in _all():
        counts[one.code] = counts.get(one.code, 0) + 1
        if counts[one.code] <= FEW:
            found.append(one)
    return found


def _all() -> Iterator[Finding]:
    yield from _charters()
    yield from _unbooked()
    accepted = Arbitration.objects.filter(state="accepted").order_by("ended_at", "pk").prefetch_related("lines")
    settled = Contribution.objects.filter(state="settled").only("pk", "period", "settled_amount")
    rows = (
        Distribution.objects.filter(state__in=["published", "booked"])
        .select_related("charter", "period")
        .prefetch_related(
            "shares",
            Prefetch("arbitrations", accepted, to_attr="accepted"),
            Prefetch("period__contributions", settled, to_attr="settled"),
        )
        .order_by("pk")
    )
    for row in rows.iterator(chunk_size=AT_ONCE):
        if row.period.charter_id != row.charter_id:
            yield Finding("I3.period", row.period_id)
        try:
            yield from list(_of_trace(row))
        except (LookupError, TypeError, ValueError, AttributeError):  # it has not even the form of a trace
            yield Finding("I3.trace", row.pk)


def _charters() -> Iterator[Finding]:
    """Each version of a charter says what its digest says."""
    for key, document, stated in Charter.objects.order_by("pk").values_list("pk", "document", "sha256").iterator():
        if sha256(document) != stated:
            yield Finding("I3.charter", key)


def _unbooked() -> Iterator[Finding]:
    """Nothing is settled but by a distribution that is booked."""
    rows = Contribution.objects.filter(state="settled").exclude(period__distribution__state="booked").order_by("pk")
    for key, currency, amount in rows.values_list("pk", "currency", "settled_amount")[:FEW]:
        yield Finding("I1.settled", key, currency, 0, int(amount or 0))


def _of_trace(row: Distribution) -> Iterator[Finding]:
    """One trace against its digest, then against all that stands beside it, if it is the one that was computed."""
    trace: Mapping[str, Any] = row.trace or {}
    if not trace["result_sha256"] == row.digest == digest(trace):
        yield Finding("I3.trace", row.pk)
        return
    if trace["engine"] == EARLIER:
        return
    if trace["engine"] != ENGINE:
        raise LookupError(trace["engine"])
    frozen = sha256(row.inputs)
    if not trace["snapshot_sha256"] == frozen == sha256(trace["inputs"]):
        yield Finding("I3.inputs", row.pk)
    ruled, charter = trace["charter"], row.charter
    stated = (ruled["id"], ruled["version"], ruled["sha256"], canonical_json(ruled["document"]))
    if stated != (charter.pk, charter.version, charter.sha256, canonical_json(charter.document)):
        yield Finding("I3.ruled", row.pk)
    yield from _shares(row, trace)
    yield from _arbitrated(row, trace)
    if row.state == "booked":
        yield from _settled(row, trace)


def _shares(row: Distribution, trace: Mapping[str, Any]) -> Iterator[Finding]:
    """Each share is what the trace gives; a share that is missing is named by its person."""
    given = {person["id"]: person["cents"] for person in trace["persons"]}
    for share in sorted(row.shares.all(), key=lambda share: share.pk):
        cents = given.pop(share.contributor_id, 0)
        if cents != share.amount:
            yield Finding("I1.given", share.pk, row.currency, cents, share.amount)
    for person, cents in sorted(given.items()):
        if cents:
            yield Finding("I1.given", person, row.currency, cents, 0)


def _arbitrated(row: Distribution, trace: Mapping[str, Any]) -> Iterator[Finding]:
    """The amounts that the accepted arbitrations agreed on, the last one for each person and purse, are those of the
    trace; an amount that was agreed back to what was computed is not in it."""
    computed: dict[tuple[str, str], int] = {}
    for step in trace["steps"]:
        for person in step["persons"]:
            key = (person["id"], step["purse"])
            computed[key] = computed.get(key, 0) + person["cents"]
    agreed: dict[tuple[str, str], int] = {}
    named = ""
    for one in row.accepted:  # type: ignore[attr-defined]
        named = one.pk
        agreed.update({(line.person_id, line.budget_id): line.agreed for line in one.lines.all()})
    entered = (trace["arbitration"] or {"changes": []})["changes"]
    told = {(change["person"], change["purse"]): change["agreed"] for change in entered}
    for key in sorted(agreed.keys() | told.keys()):
        was = computed.get(key, 0)
        if agreed.get(key, was) != told.get(key, was):
            yield Finding("I1.agreed", named or row.pk, row.currency, agreed.get(key, was), told.get(key, was))
            return


def _settled(row: Distribution, trace: Mapping[str, Any]) -> Iterator[Finding]:
    """Each contribution of the period was given what the trace gives it."""
    given = {line["contribution"]: 0 for line in trace["inputs"]["lines"]} | settled_lines(trace)
    for one in sorted(row.period.settled, key=lambda one: one.pk):  # type: ignore[attr-defined]
        cents = given.pop(one.pk, None)
        if cents is None or cents != one.settled_amount:
            yield Finding("I1.settled", one.pk, row.currency, cents or 0, one.settled_amount or 0)
    for key, cents in sorted(given.items()):  # no longer settled, or no longer there
        yield Finding("I1.settled", key, row.currency, cents, 0)
