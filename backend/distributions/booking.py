"""Approves a published distribution and books it: what is owed to each payee, what moves between purses."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, timedelta

from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from backend.allocation import rebuild
from backend.allocation.trace import TraceMismatch
from backend.commons.models import Period
from backend.commons.services import hold, tree_of
from backend.contributions.models import Contribution
from backend.contributions.services import settle
from backend.core.errors import Conflict, DomainError, Forbidden, NotFound
from backend.core.failpoints import around_commit
from backend.core.ids import new_id
from backend.core.reads import among
from backend.distributions.closing import BATCH, settled_lines
from backend.distributions.models import Distribution, DistributionMove, DistributionObjection, Share, SharePart
from backend.distributions.papers import reimburse, repaying_receipts
from backend.distributions.snapshot import CLAIM_RULES, RECEIVING
from backend.events.services import record
from backend.identity.models import User
from backend.identity.permissions import may, require
from backend.identity.services import host_day
from backend.ledger import chart
from backend.ledger.services import Entry, Line, open_account, open_accounts, post_many
from backend.payees.services import archive_names

# What the floors above may have against approving a distribution, each giving its reason or None.
STOPS: list[Callable[[Distribution], DomainError | None]] = []


def approve(*, actor: User, distribution_id: str, digest: str, now: datetime) -> Distribution:
    """Approve the computed split of someone else, exactly as shown, and book what is owed to each payee.

    Args: digest: that of the computation that was read.
    Returns: the distribution. The ledger moved: each purse +its shares, each payee −their share; each purse +what
        moves out of it, the other purse −that. Twice is once.
    Raises: NotFound; Forbidden `own_distribution`, `paid_by_distribution`, `own_arbitration`; Conflict
        `distribution_not_ready`, `arbitration_waiting`, `distribution_objected`, `objection_delay` naming the day,
        `distribution_changed`, `distribution_approved` naming who, `purse_short`, `payment_disputed`.
    """
    with transaction.atomic():
        distribution = (
            Distribution.visible_to(actor)
            .select_related("period__budget", "charter", "approved_by")
            .select_for_update(of=("self",))
            .filter(pk=distribution_id)
            .first()
        )
        if distribution is None:
            raise NotFound("distribution_not_found", _("There is no such distribution."))
        budget = distribution.period.budget
        require(actor, "distribution.approve", scopes=tree_of(budget))
        if distribution.state == "booked" and distribution.approved_by_id == actor.pk:
            return distribution
        if refusal := approval_hindrance(actor=actor, distribution=distribution, now=now):
            raise refusal
        if digest != distribution.digest or not sound(distribution):
            raise Conflict("distribution_changed", _("This is not the computation you read: open the page again."))
        total = _book(distribution, now)
        distribution.state = "booked"
        distribution.approved_by = actor
        distribution.approved_at = now
        distribution.save(update_fields=["state", "approved_by", "approved_at"])
        reimburse(repaying_receipts(distribution), actor=None, now=now)
        period = Period.objects.select_for_update(of=("self",)).get(pk=distribution.period_id)
        period.state = "booked"
        period.save(update_fields=["state"])
        record(
            "distribution.approved",
            actor=actor,
            subject=distribution.pk,
            now=now,
            scopes=[budget.pk],
            before={"state": "published"},
            after={"state": "booked"},
            total=total,
            currency=distribution.currency,
        )
        around_commit("distribution.approved")
    return distribution


def approval_hindrance(*, actor: User, distribution: Distribution, now: datetime) -> DomainError | None:
    """Why this person may not approve this distribution now, or None; `approve` looks again under lock."""
    return (
        _not_any_more(distribution)
        or _not_this_person(actor, distribution)
        or _not_yet(distribution, now)
        or next((stopped for look in STOPS if (stopped := look(distribution)) is not None), None)
    )


def _not_any_more(distribution: Distribution) -> DomainError | None:
    if distribution.state == "booked":
        return Conflict(
            "distribution_approved",
            _("%(name)s has already approved this distribution. It is booked once.")
            % {"name": distribution.approved_by.name if distribution.approved_by else "?"},
        )
    if distribution.state != "published":
        return Conflict("distribution_not_ready", _("The computation is not finished: try again in a moment."))
    return None


def _not_this_person(actor: User, distribution: Distribution) -> DomainError | None:
    """Nobody approves what they prepared, what pays them, or amounts that they entered."""
    if not may(actor, "distribution.approve", scopes=tree_of(distribution.period.budget)):
        return Forbidden("not_allowed", _("A treasurer must approve this distribution."))
    if distribution.prepared_by_id == actor.pk:
        return Forbidden("own_distribution", _("You closed this period: another person must approve its distribution."))
    if distribution.shares.filter(contributor=actor, amount__gt=0).exists():
        return Forbidden(
            "paid_by_distribution", _("You are paid by this distribution: another person must approve it.")
        )
    if distribution.arbitrations.filter(state="accepted", entered_by=actor).exists():
        return Forbidden(
            "own_arbitration", _("You entered the amounts agreed at the meeting: another person must approve them.")
        )
    if distribution.arbitrations.filter(state="accepted", lines__recorded_by=actor).exists():
        return Forbidden(
            "own_arbitration",
            _("You recorded an answer to the amounts agreed at the meeting: another person must approve them."),
        )
    return None


def _not_yet(distribution: Distribution, now: datetime) -> DomainError | None:
    shut = distribution.moves.filter(kind="upstream").exclude(target__state__in=RECEIVING).first()
    if shut is not None:
        return Conflict(
            "budget_not_receiving",
            _("%(name)s, to which this distribution sends money, is closed: it takes no money any more.")
            % {"name": shut.target.name},
        )
    if distribution.arbitrations.filter(state="waiting").exists():
        return Conflict(
            "arbitration_waiting",
            _("An arbitration awaits the answers of those it concerns: approve once they have answered."),
        )
    raised = distribution.objections.filter(state__in=DistributionObjection.STANDING).select_related("objector").first()
    if raised is not None:
        said = (
            _("%(name)s’s objection was upheld: other amounts must be agreed on, or the objection lifted.")
            if raised.state == "upheld"
            else _("%(name)s objects: approve once the objection is lifted, decided, or answered by agreed amounts.")
        )
        return Conflict("distribution_objected", said % {"name": raised.objector.name})
    first = approvable_from(distribution)
    if first is not None and host_day(now) < first:
        return Conflict(
            "objection_delay",
            _("The charter leaves time for objections: this distribution can be approved from %(day)s on.")
            % {"day": date_format(first, "DATE_FORMAT")},
        )
    return None


def approvable_from(distribution: Distribution) -> date | None:
    """The first day on which a distribution can be approved, by its charter's delay; None while it is computed."""
    if distribution.published_at is None:
        return None
    return host_day(distribution.published_at) + timedelta(days=distribution.charter.publication_days)


def sound(distribution: Distribution) -> bool:
    """Whether the stored trace follows from itself, is that of the frozen inputs and of the charter, and gives the
    very cents of the shares, of their parts and of the moves."""
    stored, charter = distribution.trace or {}, distribution.charter
    try:
        rebuild.verify(stored)  # from here on its persons, steps and moves are those of a second computation
        parts: dict[str, dict[str, int]] = defaultdict(dict)
        for person, purse, cents in SharePart.objects.filter(share__distribution=distribution).values_list(
            "share__contributor", "budget", "amount"
        ):
            parts[person][purse] = cents
        shares = dict(distribution.shares.values_list("contributor_id", "amount"))
        told = {row["id"]: {purse: cents for purse, cents in row["by_purse"].items() if cents}
                for row in stored["persons"]}  # fmt: skip
        moves = sorted((move["kind"], move["from"], move["to"], move["amount"])
                       for move in stored["moves"] if move["amount"])  # fmt: skip
        return (
            (stored["result_sha256"], stored["currency"]) == (distribution.digest, distribution.currency)
            and stored["inputs"] == distribution.inputs
            and (stored["charter"]["id"], stored["charter"]["version"]) == (charter.pk, charter.version)
            and (stored["charter"]["document"], stored["charter"]["sha256"]) == (charter.document, charter.sha256)
            and {row["id"]: row["cents"] for row in stored["persons"] if row["cents"]}
            == {person: cents for person, cents in shares.items() if cents}
            and {person: purses for person, purses in told.items() if purses} == dict(parts)
            and moves == sorted(distribution.moves.values_list("kind", "source", "target", "amount"))
        )
    except (TraceMismatch, LookupError, TypeError):
        return False


def _book(distribution: Distribution, now: datetime) -> int:
    """Book every purse and every move at once; then each contribution knows its cents. Returns what is owed in all."""
    day = host_day(now)
    moves = list(distribution.moves.select_related("source", "target").order_by("pk"))
    upstream = [move.target for move in moves if move.kind == "upstream"]
    if upstream:
        hold([distribution.period.budget, *upstream])  # none of them closes its period or its purse meanwhile
    parts = (
        SharePart.objects.filter(share__distribution=distribution)
        .order_by("budget_id", "share_id")
        .values_list("budget_id", "share__payee_id", "amount")
    )
    by_purse: dict[str, list[tuple[str, int]]] = defaultdict(list)
    for purse, payee, cents in parts:
        by_purse[purse].append((payee, cents))
    entries = [_shares_entry(distribution, purse, found, day) for purse, found in by_purse.items()]
    entries += [_move_entry(distribution, move, day) for move in moves]
    archive_names({payee for found in by_purse.values() for payee, _cents in found}, now=now)
    post_many(entries=entries, now=now)
    Share.objects.filter(distribution=distribution, amount=0).update(state="paid")
    settled = settled_lines(distribution.trace or {})
    settle({one["contribution"]: settled.get(one["contribution"], 0) for one in distribution.inputs["lines"]})
    _carry_unpaid(distribution, settled, now)
    return sum(cents for found in by_purse.values() for _payee, cents in found)


def _shares_entry(distribution: Distribution, purse: str, parts: Sequence[tuple[str, int]], day: date) -> Entry:
    """A purse buys work: it is debited once, each payee is owed their parts."""
    currency = distribution.currency
    general = purse == distribution.period.budget_id
    paid = open_account(kind="budget", owner=purse, currency=currency)
    owed = open_accounts(kind="payee", owners=[payee for payee, _cents in parts], currency=currency)
    lines = [Line(paid, sum(cents for _payee, cents in parts), chart.SERVICES)]
    lines += [Line(owed[payee], -cents, chart.SUPPLIER) for payee, cents in parts]
    return Entry(
        kind="distribution.approved",
        scope="distribution",
        key=distribution.period_id if general else f"{distribution.period_id}.{purse}",
        reference=distribution.pk,
        happened_on=day,
        lines=lines,
    )


def _move_entry(distribution: Distribution, move: DistributionMove, day: date) -> Entry:
    """Money between two purses, under one chart number: the accounts of the host do not change in sum."""
    target = open_account(
        kind="reserve" if move.kind == "reserve" else "budget", owner=move.target_id, currency=distribution.currency
    )
    source = open_account(kind="budget", owner=move.source_id, currency=distribution.currency)
    return Entry(
        kind=f"distribution.{move.kind}",
        scope="distribution",
        key=f"{distribution.period_id}.{move.source_id}.{move.kind[:2]}.{move.target_id}",
        reference=distribution.pk,
        happened_on=day,
        lines=[Line(source, move.amount, chart.DONATION), Line(target, -move.amount, chart.DONATION)],
    )


def _carry_unpaid(distribution: Distribution, settled: Mapping[str, int], now: datetime) -> None:
    """Where the charter carries, leave the unpaid part of each request as a request of the next open period.

    Only requests that some tier tried to meet; at most as many times as the charter says. A person whose amount a
    meeting changed agreed to it: nothing of hers is carried.
    """
    generations = distribution.charter.carry_periods
    stored = distribution.trace or {}
    if not generations:
        return
    agreed = {change["person"] for change in (stored["arbitration"] or {"changes": []})["changes"]}
    read = {
        line["contribution"]
        for step in stored["steps"]
        if step["rule"] in CLAIM_RULES
        for person in step["persons"]
        if person["id"] not in agreed
        for line in person["lines"]
    }
    asked = {one["contribution"]: one["claim"] for one in distribution.inputs["lines"]}
    unpaid = [name for name in read if asked[name] > settled.get(name, 0)]
    left = [
        one for one in Contribution.objects.filter(among("pk", unpaid)).order_by("pk") if _generation(one) < generations
    ]
    following = Period.objects.filter(budget=distribution.period.budget_id, state="open").order_by("starts_on").first()
    if following is None or not left:
        return
    made = Contribution.objects.bulk_create(
        [
            Contribution(
                id=new_id("ctr"), budget_id=one.budget_id, period=following, contributor_id=one.contributor_id,
                worked_on=one.worked_on, kind=one.kind, minutes=0, amount=one.amount - (one.settled_amount or 0),
                currency=one.currency, description=one.description, evidence=one.evidence, state="validated",
                validated_at=one.validated_at, over_cap_reason=one.over_cap_reason, remainder_of=one,
                form_key=f"remainder-{one.pk}", created_at=now,
            )
            for one in left
        ],
        batch_size=BATCH,
    )  # fmt: skip
    for row in made:
        record(
            "contribution.carried_over", actor=None, subject=row.pk, now=now, scopes=[row.budget_id],
            amount=row.amount, currency=row.currency,
        )  # fmt: skip


def _generation(contribution: Contribution) -> int:
    """How many times the unpaid part of a request was carried already."""
    carried, above = 0, contribution.remainder_of
    while above is not None:
        carried, above = carried + 1, above.remainder_of
    return carried


def owed_to(user: User) -> list[Share]:
    """The shares of a person that are booked, newest first."""
    return list(
        Share.objects.filter(contributor=user, distribution__state="booked")
        .select_related("distribution__period__budget")
        .order_by("-id")
    )
