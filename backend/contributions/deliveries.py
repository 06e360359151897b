"""Takes in what forges send: verified, kept once, answered at once; then drafts for the people who made the commits."""

import hashlib
import logging
from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext_lazy as _

from backend.contributions.forges.base import Facts, Headers, Told, Unreadable, first_header
from backend.contributions.forges.trailers import Trailer, trailers
from backend.contributions.models import Contribution, ForgeCommit, ForgeDelivery, Repository
from backend.contributions.of_commits import pairs_of, told_already, told_before_rewriting
from backend.contributions.own import draft
from backend.contributions.repositories import SWEEP, WAITING, clean_address, person_of, secrets_of
from backend.core import crypto
from backend.core.errors import DomainError, Forbidden, NotFound
from backend.core.ids import new_id
from backend.core.nudge import nudge
from backend.core.text import UNREADABLE, seen
from backend.core.ticking import ticking
from backend.events.services import record
from backend.identity.services import host_day

logger = logging.getLogger(__name__)

KEPT = timedelta(days=90)
MOST_COUNTED = 1_000_000
BATCH = 200  # deliveries of one turn
MOST_NOTED = 500  # trailers of one delivery: a turn ends in time, whatever somebody wrote in their messages
TRIES = 5
PAUSE = timedelta(minutes=2)
USUAL = "development"  # the kind of a commit that names none
MOST_UNDECIDED = 50  # drafts of forges that wait for one person, of one day: anybody may commit under their address
DESCRIPTION = 500
LINK = 500
# What a delivery may have done, as `ForgeDelivery.did` counts it: trailers by what became of them (the outcomes of
# `ForgeCommit`, and `known` for those that were told before), then commits without any, commits that merge, and those
# that look as if they were written again though the forge does not say so.
DONE = ("drafted", "declared", "known", "unknown", "refused", "unreadable", "plain", "merges", "alike")


# --- the door ---------------------------------------------------------------------------------------------------------


def receive_delivery(*, repository_id: str, headers: Headers, body: bytes, now: datetime) -> tuple[ForgeDelivery, bool]:
    """Keep what a forge sent, once. Nothing of it is read before its signature is verified.

    Returns: the delivery, and whether it was new.
    Raises: NotFound `repository_not_found`, also once it is disconnected; Forbidden `delivery_unsigned`.
    """
    repository = Repository.objects.filter(pk=repository_id, revoked_at=None).first()
    if repository is None:
        raise NotFound("repository_not_found", _("There is no such repository."))
    forge = repository.adapter
    if not forge.verify(headers, body, secrets_of(repository, now), now=now):
        _count_unsigned(repository, now)
        raise Forbidden("delivery_unsigned", _("The signature of this delivery is missing or wrong. Nothing was kept."))
    made = ForgeDelivery(
        id=new_id("fgd"), repository=repository, body=body, size=len(body),
        event=first_header(headers, forge.event_header, 60),
        delivery_id=first_header(headers, forge.delivery_header, 100) or hashlib.sha256(body).hexdigest(),
        received_at=now, next_try_at=now,
    )  # fmt: skip
    with transaction.atomic():
        ForgeDelivery.objects.bulk_create([made], ignore_conflicts=True)
        kept = ForgeDelivery.objects.get(repository=repository, delivery_id=made.delivery_id)
        if kept.pk == made.pk:
            nudge(SWEEP)
    return kept, kept.pk == made.pk


@transaction.atomic
def _count_unsigned(repository: Repository, now: datetime) -> None:
    """Count a delivery that was refused, for the steward; a stranger waits for no lock, and adds no row."""
    rows = Repository.objects.select_for_update(no_key=True, skip_locked=True).filter(pk=repository.pk)
    for key in rows.filter(unsigned__lt=MOST_COUNTED).values_list("pk", flat=True):
        Repository.objects.filter(pk=key).update(unsigned=F("unsigned") + 1, unsigned_at=now)


# --- the sweep --------------------------------------------------------------------------------------------------------


def treat_forges(now: datetime) -> int:
    """Make drafts of what the forges told, the oldest first; returns how many deliveries were treated.

    Each delivery is a transaction: one that fails is tried again later, and is refused after some tries.
    """
    clock, treated = ticking(now), 0
    waiting = ForgeDelivery.waiting(now).order_by("received_at", "pk").values_list("pk", flat=True)
    for key in list(waiting[:BATCH]):
        at = clock()
        try:
            treated += _treat(key, at)
        except Exception:
            logger.exception("delivery %s of a forge left waiting", key)
            _put_off(key, at)
    return treated


def _put_off(key: str, now: datetime) -> None:
    row = ForgeDelivery.objects.filter(pk=key, state="new").first()
    if row is None:
        return
    row.attempts, row.next_try_at = row.attempts + 1, now + PAUSE * (row.attempts + 1)
    if row.attempts >= TRIES:
        row.state, row.fault, row.treated_at, row.body = "refused", "unexpected", now, b""
    row.save(update_fields=["attempts", "next_try_at", "state", "fault", "treated_at", "body"])


@transaction.atomic
def _treat(key: str, now: datetime) -> int:
    """Treat one delivery, unless another worker does."""
    rows = ForgeDelivery.objects.select_for_update(skip_locked=True).filter(pk=key, state="new")
    row = rows.first()
    if row is None:
        return 0
    # What one repository told is treated one after the other.
    held = Repository.objects.select_related("budget__parent").select_for_update(of=("self",), no_key=True)
    row.repository = held.get(pk=row.repository_id)
    try:
        facts = _facts(row)
    except Unreadable as fault:
        row.state, row.fault, row.body = "refused", str(fault), b""
    else:
        row.state, row.head, row.left_out = "treated", facts.after, facts.left_out
        row.nothing, row.did = facts.why, {}
        if facts.about != "nothing":
            _note(row, facts, now)
        if not row.commits.filter(outcome__in=WAITING).exists():
            row.body = b""
    row.treated_at = now
    row.save()
    return 1


def _facts(row: ForgeDelivery) -> Facts:
    """What a delivery tells. Raises: Unreadable."""
    if row.repository.revoked_at is not None:
        raise Unreadable("revoked")
    facts = row.repository.adapter.read(row.event, bytes(row.body))
    # Paths of forges are told apart by no capital.
    told, own = clean_address(facts.repository), row.repository.address
    if told.lower() != own.lower():
        raise Unreadable("other_repository")
    return facts


def _note(row: ForgeDelivery, facts: Facts, now: datetime) -> None:
    """Note each trailer once, and make a draft of it where its author is known."""
    # A commit that merges is written by who merged: what its request says counts, which is told apart.
    own = [one for one in facts.told if facts.about == "merge" or not one.subject.startswith("Merge ")]
    read = [(one, trailers(one.text)) for one in own]
    found = [(one, trailer) for one, lines in read for trailer in lines]
    did = Counter(merges=len(facts.told) - len(own), plain=sum(not lines for _one, lines in read))
    row.left_out += max(0, len(found) - MOST_NOTED)
    found = found[:MOST_NOTED]
    told = {one.sha for one in facts.told}
    retold = Rewriting(row, facts, [(one, _mark(one, trailer)) for one, trailer in found])
    for one, trailer in found:
        mark = _mark(one, trailer)
        known = ForgeCommit.objects.filter(repository=row.repository, sha=one.sha, part=trailer.part).first()
        # Read again, a delivery still did what it did.
        before = known is not None and known.delivery_id != row.pk
        if known is None:
            known = ForgeCommit(
                repository=row.repository, sha=one.sha, part=trailer.part, mark=mark, authored_at=one.at, seen_at=now
            )
            former = retold.former(mark)
            if former is not None:
                known.outcome, known.why, known.contribution = former.outcome, former.why, former.contribution
                known.author_index, known.kind_said = former.author_index, former.kind_said
                retold.replace(former, now)
                before = True
        known.delivery = row
        if known.outcome in {"", *WAITING}:
            _draft(known, one, trailer, told=told, now=now)
            before = False
        known.save()
        if known.contribution is not None and known.contribution.created_at < row.received_at:
            before = True
        did["known" if before and known.outcome == "drafted" else known.outcome] += 1
    row.rewritten = retold.forced
    did["alike"] = 0 if facts.forced else len(retold.replaced)
    row.did = {name: did[name] for name in DONE if did[name]}
    if retold.forced:
        retold.mark_gone(now)
    _come_back(row.repository, [one.sha for one, _trailer in found])


def _mark(one: Told, trailer: Trailer) -> str:
    """Who wrote what: the same when a commit gets another name because the branch was rewritten."""
    author = one.authors[0] if one.authors else ""
    return crypto.equality_index(f"commit:{trailer.part}:{author}:{one.text}")


def _draft(row: ForgeCommit, one: Told, trailer: Trailer, *, told: set[str], now: datetime) -> None:
    """Make a draft of a trailer for its author, or write down why there is none; the caller saves."""
    row.author_index = crypto.equality_index(one.authors[0]) if one.authors else ""
    row.why = ""
    person = person_of(one.authors)
    if not trailer.minutes or person is None:
        row.outcome = "unknown" if trailer.minutes else "unreadable"
        return
    repository = row.repository
    # The same commit makes one draft of a person, wherever it is told from.
    name = hashlib.sha256(f"{repository.address.lower()} {one.sha} {trailer.part}".encode()).hexdigest()
    today = host_day(now)

    def alike() -> Contribution | None:
        rows = told_already(contributor=person, budget=repository.budget, sha=one.sha, part=trailer.part)
        if not rows and one.at is not None:
            rows = told_before_rewriting(
                contributor=person, repository=repository, part=trailer.part, at=one.at, described=_described(one),
                told=told,
            )  # fmt: skip
        return next(iter(rows), None)

    try:
        made = draft(
            contributor=person, budget=repository.budget, source=repository.pk, form_key=f"forge:{name[:56]}", now=now,
            facts={
                "worked_on": min(host_day(one.at), today) if one.at is not None else today,
                "description": _described(one), "kind": trailer.kind or USUAL, "minutes": trailer.minutes,
                "evidence": _evidence(repository, one),
                "metadata": pairs_of(sha=one.sha, part=trailer.part, repository=repository.address),
            },
            alike=alike, most_a_day=MOST_UNDECIDED,
        )  # fmt: skip
        row.contribution, row.author_index = made, ""
        row.outcome = "drafted" if made.source == repository.pk or made.state == "draft" else "declared"
        named = trailer.odd or trailer.kind
        if made.created_at == now and named not in {"", made.kind}:
            row.kind_said = named
    except DomainError as refusal:
        row.outcome, row.why = "refused", refusal.code[:40]


def _described(one: Told) -> str:
    """The first line, as it can be kept and read."""
    return seen(UNREADABLE.sub(" ", one.subject))[:DESCRIPTION] or one.sha[:12]


def _evidence(repository: Repository, one: Told) -> list[str]:
    """The page of the commit or request, when it is one of this repository; else that of the commit."""
    inside = one.url.lower().startswith(repository.address.lower() + "/")
    plain = one.url.isascii() and one.url.isprintable() and " " not in one.url
    url = one.url if inside and plain else repository.adapter.commit_url(repository.address, one.sha)
    return [url] if len(url) <= LINK else []


# --- branches that were rewritten -------------------------------------------------------------------------------------


class Rewriting:
    """What of a repository's commits a push replaces, and what it takes away.

    A forge tells neither the parents of commits nor what left the branch. What is told again under another name, by the
    same author, of the same time and in the same words, was replaced, unless the forge says that the branch goes on.
    When the branch does not continue what it was, what was its last commit left it, and so did all that came after the
    first that was replaced.
    """

    def __init__(self, row: ForgeDelivery, facts: Facts, told: Sequence[tuple[Told, str]]) -> None:
        """Look which commits are told again under another name."""
        self.row, self.facts = row, facts
        self.standing = ForgeCommit.objects.filter(repository=row.repository, gone_at=None)
        self.replaced: list[int] = []
        self.formers: dict[str, list[ForgeCommit]] = {}
        shas = {one.sha for one in facts.told}
        at_of = {mark: one.at for one, mark in told}
        if facts.about == "push":
            for former in self.standing.filter(mark__in=at_of).exclude(sha__in=shas).order_by("pk"):
                same_time = former.authored_at is not None and former.authored_at == at_of[former.mark]
                if facts.forced or (same_time and not facts.straight):
                    self.formers.setdefault(former.mark, []).append(former)
        self.forced = facts.forced or bool(self.formers)

    def former(self, mark: str) -> ForgeCommit | None:
        """The commit that one with this mark replaces."""
        waiting = self.formers.get(mark)
        return waiting.pop(0) if waiting else None

    def replace(self, former: ForgeCommit, now: datetime) -> None:
        """Write down that another commit stands for it: the draft is that one's now."""
        self.replaced.append(former.pk)
        former.gone_at, former.contribution = now, None
        former.save(update_fields=["gone_at", "contribution"])

    def mark_gone(self, now: datetime) -> None:
        """Mark the commits that left the branch, and what was noted or declared of them."""
        gone = self._gone()
        left = list(gone.exclude(contribution=None).values_list("contribution_id", flat=True))
        gone.update(gone_at=now)
        drafts = Contribution.objects.filter(pk__in=left, source_gone_at=None)
        for key, state in list(drafts.values_list("pk", "state")):
            drafts.filter(pk=key).update(source_gone_at=now)
            if state != "draft":  # nobody but its contributor knows of a draft
                scopes = [self.row.repository.budget_id]
                record("contribution.source_gone", actor=None, subject=key, now=now, scopes=scopes)

    def _gone(self) -> "QuerySet[ForgeCommit]":
        pushed = {one.sha for one in self.facts.told}
        standing = self.standing.exclude(sha__in=pushed).exclude(delivery=self.row)
        firsts = [*self.replaced, *standing.filter(sha=self.facts.before).values_list("pk", flat=True)]
        back_to = (
            ForgeCommit.objects.filter(repository=self.row.repository, sha=self.facts.after).order_by("-pk").first()
        )
        if back_to is not None and self.facts.after not in pushed:
            firsts.append(back_to.pk + 1)
        else:
            earlier = ForgeDelivery.objects.filter(repository=self.row.repository, head=self.facts.after)
            reached = earlier.exclude(pk=self.row.pk).order_by("-received_at").first()
            if reached is not None and not pushed:
                later = self.standing.filter(seen_at__gt=reached.received_at).exclude(delivery=reached)
                firsts += later.order_by("pk").values_list("pk", flat=True)[:1]
        return standing.filter(pk__gte=min(firsts)) if firsts else standing.none()


def _come_back(repository: Repository, shas: Sequence[str]) -> None:
    """What is told again is in the branch again."""
    back = ForgeCommit.objects.filter(repository=repository, sha__in=shas, gone_at__isnull=False)
    mine = list(back.exclude(contribution=None).values_list("contribution_id", flat=True))
    Contribution.objects.filter(pk__in=mine).update(source_gone_at=None)
    back.update(gone_at=None)
