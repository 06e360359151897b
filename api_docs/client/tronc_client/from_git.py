"""`tronc log --from-git`: what commits tell is declared, once each, whoever told of them first."""

import hashlib
import json
from argparse import Namespace
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from tronc_client import reading
from tronc_client.git import KINDS, USUAL, Repository, Unread, Work
from tronc_client.mine import send_change
from tronc_client.net import Instance, NoAnswer, Problem
from tronc_client.places import budget_of, budgets_of, find_budget, here, label
from tronc_client.said import OK, STOPPED, Failure, _, agreed, clean, say, table, tell

MOST_AT_ONCE = 500
EARLIER = timedelta(days=45)  # looked back before the first day: the day of what was sent may have been changed
SHORTEST = 7  # figures of the name of a commit, as pages and people shorten it
AMENDABLE = {"draft", "declared", "questioned"}
Row = dict[str, Any]


@dataclass
class Sorted:
    """What of the works is to be declared, declared from a draft, or amended; what is known already is in none.

    `doubtful`: what has the words of a commit that was declared and is gone; a person says whether it is the same.
    """

    fresh: list[Work] = field(default_factory=list)
    drafts: list[Row] = field(default_factory=list)
    again: list[tuple[Row, Work]] = field(default_factory=list)
    doubtful: list[tuple[Row, Work]] = field(default_factory=list)


def log_from_git(asked: Namespace) -> int:
    """Show what the commits of somebody tell that is not declared, and declare it once they agree."""
    if asked.duration or asked.message:
        raise Failure(_("With --from-git, the commits say how long and what: give --budget, and a range if you want."))
    instance = here()
    try:
        repository = Repository(asked.repo)
    except Failure as failure:
        raise _meant(instance, asked.repo, failure) from None
    authors = {one.lower() for one in asked.author} or {repository.me()}
    budget = budget_of(instance, asked.in_budget or "")
    since = None
    if not asked.from_git:
        period = instance.get(f"budgets/{budget['id']}/estimate")["period"]
        since = date.fromisoformat(period["starts_on"])
    try:
        found = repository.works(asked.from_git, since, authors)
    except Failure as failure:
        raise _meant(instance, asked.from_git, failure) from None
    for one in found:
        if isinstance(one, Unread):
            tell(_("%s: “Contribution: %s” cannot be read, and is left out.") % (one.commit[:12], clean(one.line)))
    where = repository.address()
    works = _sorted(instance, [one for one in found if isinstance(one, Work)], repository, where)
    works.fresh = _of_known_kinds(instance, budget, works.fresh + _other_work(works.doubtful, sure=asked.yes))
    if not works.fresh and not works.drafts and not works.again:
        if works.doubtful:
            return OK
        say(_("No commit of yours tells anything that was not sent."))
        return OK
    _declare_drafts(instance, works.drafts, sure=asked.yes)
    _amend(instance, works.again, where, sure=asked.yes)
    if works.fresh:
        _declare(instance, budget, works.fresh, where, sure=asked.yes)
    return OK


def _meant(instance: Instance, word: str, failure: Failure) -> Failure:
    """The same failure, or a hint where a budget was named in the place of a range or of a folder."""
    try:
        find_budget(budgets_of(instance, word), word)
    except Failure:
        return failure
    hint = _("“%s” is a budget, not a range of commits nor a folder: write tronc log --from-git --budget %s")
    return Failure(hint % (clean(word), clean(word)))


# --- what is known already --------------------------------------------------------------------------------------------


def _sorted(instance: Instance, works: list[Work], repository: Repository, where: str) -> Sorted:
    """Look for each work among one's contributions: by its commit, by what it was, by the same day, time and words."""
    sorts = Sorted()
    if not works:
        return sorts
    first = min(one.worked_on for one in works) - EARLIER
    rows = list(instance.rows("contributions", None, **{"contributor": "me", "from": first.isoformat()}))
    alike = Counter(_looks_of(row) for row in rows if row["state"] not in {"withdrawn", "rejected"})
    known, twins, left = 0, [], []
    for one in works:
        row = next((row for row in rows if _stands_for(row, one)), None)
        if row is None:
            left.append(one)
        elif row["state"] == "draft":
            sorts.drafts.append(row)
        else:
            known += 1
            alike[one.worked_on.isoformat(), one.minutes, one.description] -= 1
    gone = _gone(rows, works, repository, where)
    for one in left:
        looks = (one.worked_on.isoformat(), one.minutes, one.description)
        former = next((row for row in gone if _was(row, one)), None)
        resembled = next((row for row in gone if row["description"] == one.description), None)
        if former is not None and (former["minutes"], former["kind"], former["description"]) != _says(one):
            gone.remove(former)
            sorts.again.append((former, one))
        elif alike[looks] > 0:
            alike[looks] -= 1
            twins.append(one)
        elif resembled is not None:
            gone.remove(resembled)
            sorts.doubtful.append((resembled, one))
        else:
            sorts.fresh.append(one)
    if known:
        tell(_("Already sent: %s.") % known)
    for one in twins:
        tell(
            _("%s: the same day, time and words are declared already (a commit written again?): left out.")
            % one.commit[:12]
        )
    return sorts


def _looks_of(row: Row) -> tuple[str, int, str]:
    return row["worked_on"], row["minutes"], row["description"]


def _says(work: Work) -> tuple[int, str, str]:
    return work.minutes, work.kind, work.description


def _pairs(row: Row) -> dict[str, str]:
    return row.get("metadata") or {}


def _links(row: Row) -> list[str]:
    return [link for link in row["evidence"] if "/commit/" in link]


def _commit(row: Row) -> str:
    """The commit that a contribution is of, as the command line noted it or as a link names it; empty: none."""
    noted = str(_pairs(row).get("commit", ""))
    return (noted or next((link.rpartition("/")[2] for link in _links(row)), "")).lower()


def _gone(rows: list[Row], works: list[Work], repository: Repository, where: str) -> list[Row]:
    """The contributions of commits of this repository that are no longer in its history: somebody wrote them again."""
    standing = {one.commit for one in works}
    return [
        row
        for row in rows
        if row["state"] not in {"withdrawn", "rejected"}
        and (commit := _commit(row))
        and _from(row, where)
        and not any(one.startswith(commit) for one in standing)
        and not repository.holds(commit)
    ]


def _from(row: Row, where: str) -> bool:
    """Whether a contribution is of a commit of this repository."""
    noted = str(_pairs(row).get("repository", "")).casefold()
    return noted == where.casefold() or any(link.casefold().startswith(f"{where}/".casefold()) for link in _links(row))


def _stands_for(row: Row, work: Work) -> bool:
    """Whether a contribution is that of this line of this commit; without a line it stands for all of them."""
    if _commit(row) == work.commit:
        return _pairs(row).get("part", str(work.part)) == str(work.part)
    names = (link.rpartition("/")[2].lower() for link in _links(row))
    return any(len(name) >= SHORTEST and work.commit.startswith(name) for name in names)


def _was(row: Row, work: Work) -> bool:
    """Whether a contribution is of the same line of an earlier writing of this commit.

    Who writes a commit again keeps the moment of its author; where that was not noted, the day and the words tell.
    """
    pairs = _pairs(row)
    if pairs.get("part", str(work.part)) != str(work.part):
        return False
    if "authored" in pairs:
        return str(pairs["authored"]) == work.authored[:40]
    return bool(row["worked_on"] == f"{work.worked_on}" and row["description"] == work.description)


# --- kinds ------------------------------------------------------------------------------------------------------------


def _of_known_kinds(instance: Instance, budget: Row, works: list[Work]) -> list[Work]:
    """Those whose kind is one of the budget's; the others are told with the kinds that there are, and left out."""
    used = {one.kind for one in works}
    if used <= {USUAL}:
        return works
    known = {kind for kind in KINDS if _takes(instance, budget, kind)} if used - set(KINDS) else set(KINDS)
    known -= {kind for kind in used & known if not _takes(instance, budget, kind)}
    if not used <= known:
        known = {kind for kind in KINDS if _takes(instance, budget, kind)}
    for one in works:
        if one.kind not in known:
            tell(
                _("%s: “%s” is no kind of work of %s, and the line is left out. Use one of: %s.")
                % (one.commit[:12], clean(one.kind), label(budget), ", ".join(k for k in KINDS if k in known))
            )
    return [one for one in works if one.kind in known]


def _takes(instance: Instance, budget: Row, kind: str) -> bool:
    """Whether the charter of a budget has a kind: one asks what an hour of it would give."""
    try:
        instance.get(f"budgets/{budget['id']}/estimate", kind=kind, minutes=60)
    except Problem as refusal:
        return refusal.body.get("code") != "kind_not_in_charter"
    return True


# --- sending ----------------------------------------------------------------------------------------------------------


def _agree(question: str, *, sure: bool) -> None:
    if not sure and not agreed(question):
        raise Failure(_("Nothing was sent."), STOPPED)


def _other_work(doubtful: list[tuple[Row, Work]], *, sure: bool) -> list[Work]:
    """Those of the works which their author says are not what was declared; nobody asks when `sure`: then none."""
    others = []
    for row, work in doubtful:
        tell(
            _("%s has the words of %s, which is gone and which %s was declared for: %s, %s.")
            % (work.commit[:12], _commit(row)[:12], clean(row["id"]), reading.hours(row["minutes"]), clean(row["kind"]))
        )
        if sure or not agreed(_("Is it other work, to be declared beside it? [y/N]")):
            same = (clean(row["id"]), work.minutes)
            tell("  " + _("Left out. If it is the same: tronc amend %s --minutes %s") % same)
        else:
            others.append(work)
    return others


def _declare(instance: Instance, budget: Row, fresh: list[Work], where: str, *, sure: bool) -> None:
    """Declare works, all or none."""
    say(_("For %s:") % label(budget))
    table((one.commit[:12], f"{one.worked_on}", reading.hours(one.minutes), one.kind, one.description) for one in fresh)
    total = reading.hours(sum(one.minutes for one in fresh))
    if len(fresh) > MOST_AT_ONCE:
        raise Failure(_("That is %s; at most %s go at once: give a smaller range.") % (len(fresh), MOST_AT_ONCE))
    _agree(_("Declare these %s, %s in all? [y/N]") % (len(fresh), total), sure=sure)
    body = {"items": [_item(one, budget["id"], where) for one in fresh]}
    # The key says what is sent: the same commits sent again, from here or elsewhere, are one act.
    mark = hashlib.sha256(json.dumps([instance.address, body], sort_keys=True).encode()).hexdigest()
    try:
        made = instance.post("contributions/batch", body, key=f"git-{mark[:48]}")["data"]
    except NoAnswer as failure:
        text = _("It may have been declared or not. Run the same command again: it will not count twice.")
        raise NoAnswer(f"{failure}\n{text}") from None
    except Problem as refusal:
        raise Failure(f"{refusal}\n{_commits_at_fault(refusal, fresh)}".rstrip(), refusal.code) from None
    say(_("Declared: %s, %s in all.") % (len(made), total))


def _item(work: Work, budget: str, repository: str) -> Row:
    return {
        "budget": budget,
        "worked_on": work.worked_on.isoformat(),
        "kind": work.kind,
        "minutes": work.minutes,
        "description": work.description,
        "evidence": _evidence(work, repository),
        "metadata": _metadata(work, repository),
    }


def _evidence(work: Work, repository: str) -> list[str]:
    evidence = [f"{repository}/commit/{work.commit}"] if repository.startswith("https://") else []
    return [link for link in evidence if len(link) <= 500]


def _metadata(work: Work, repository: str) -> dict[str, str]:
    return {
        "commit": work.commit, "part": str(work.part), "authored": work.authored[:40], "repository": repository[:500],
    }  # fmt: skip


def _declare_drafts(instance: Instance, drafts: list[Row], *, sure: bool) -> None:
    """Declare the drafts that a forge made of commits: they are not declared a second time beside them."""
    if not drafts:
        return
    say(_("Drafts that a forge made of your commits:"))
    table(
        (row["id"], row["worked_on"], reading.hours(row["minutes"]), row["kind"], row["description"]) for row in drafts
    )
    total = reading.hours(sum(row["minutes"] for row in drafts))
    _agree(_("Declare these %s, %s in all? [y/N]") % (len(drafts), total), sure=sure)
    for row in drafts:
        instance.post(f"contributions/{row['id']}/declaration", {}, key=f"git-draft-{row['id']}")
    say(_("Declared: %s, %s in all.") % (len(drafts), total))


def _amend(instance: Instance, again: Iterable[tuple[Row, Work]], where: str, *, sure: bool) -> None:
    """Amend what was declared of commits that were written again and say something else now."""
    for row, work in again:
        told = (
            _commit(row)[:12], work.commit[:12], clean(row["id"]), reading.hours(row["minutes"]), clean(row["kind"]),
            clean(row["description"]), reading.hours(work.minutes), clean(work.kind), work.description,
        )  # fmt: skip
        tell(_("%s was written again as %s: %s says %s, %s, “%s”; the commit says %s, %s, “%s” now.") % told)
        if row["state"] not in AMENDABLE:
            tell("  " + _("It is “%s” already and stays as it is: ask a steward.") % _(clean(row["state"])))
            continue
        _agree(_("Amend it? Its review begins again. [y/N]"), sure=sure)
        changes = {
            "minutes": work.minutes, "kind": work.kind, "description": work.description,
            "evidence": _evidence(work, where), "metadata": {**_pairs(row), **_metadata(work, where)},
        }  # fmt: skip
        send_change(instance, row["id"], changes)
        say(_("Amended: %s, %s.") % (clean(row["id"]), reading.hours(work.minutes)))


def _commits_at_fault(refusal: Problem, works: list[Work]) -> str:
    """Which commit each place of a refused batch is."""
    lines = []
    for one in refusal.faults[:20]:
        place = str(one.get("pointer", "")).removeprefix("/items/").partition("/")[0]
        if place.isdecimal() and int(place) < len(works):
            work = works[int(place)]
            lines.append(f"  {place}: {work.commit[:12]} {work.worked_on} {work.description[:60]}")
    return "\n".join(dict.fromkeys(lines))
