"""What stands for a commit already, however it was told: by its contributor, by a program of theirs, or by a forge."""

from collections.abc import Container
from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget
from backend.contributions.forges.base import moment
from backend.contributions.models import Contribution, ForgeCommit, Repository
from backend.core.errors import Conflict, Invalid
from backend.identity.models import User

SHORTEST = 7  # figures of the name of a commit, as pages and people shorten it
UNDECIDED = ("draft", "withdrawn", "rejected")


def pairs_of(*, sha: str, part: int, repository: str) -> dict[str, str]:
    """The metadata by which a contribution says which commit tells of it: the command line writes the same."""
    return {"commit": sha, "part": str(part), "repository": repository[:500]}


def told_already(*, contributor: User, budget: Budget, sha: str, part: int) -> "list[Contribution]":
    """The contributions of a person to a budget that stand for one line of a commit, in whatever state, oldest first.

    They name the commit in their metadata, or a link of theirs leads to it. Those of no line stand for all of them.
    """
    rows = Contribution.objects.filter(
        Q(metadata__commit__iexact=sha) | Q(evidence__icontains=sha[:SHORTEST]), contributor=contributor, budget=budget
    )
    return [one for one in rows.order_by("created_at", "pk") if _stands_for(one, sha, part)]


def told_before_rewriting(
    *, contributor: User, repository: Repository, part: int, at: datetime, described: str, told: Container[str]
) -> "list[Contribution]":
    """The contributions that a program declared of one line of a commit before that was written again.

    A commit that is written again keeps its author's moment; the words of its first line are compared too. What is in
    the branch beside it is another commit. Args: told: the names of the commits of the same delivery.
    """
    rows = Contribution.objects.filter(
        contributor=contributor, budget=repository.budget, description=described, metadata__has_key="authored",
        metadata__repository__iexact=repository.address,
    ).exclude(state__in=["withdrawn", "rejected"])  # fmt: skip
    found = []
    for one in rows.order_by("created_at", "pk"):
        pairs: dict[str, str] = one.metadata
        former = pairs.get("commit", "").lower()
        if pairs.get("part", str(part)) != str(part) or moment(pairs, "authored") != at or former in told:
            continue
        if not ForgeCommit.objects.filter(repository=repository, sha=former, gone_at=None).exists():
            found.append(one)
    return found


def _stands_for(one: Contribution, sha: str, part: int) -> bool:
    pairs: dict[str, str] = one.metadata
    if pairs.get("commit", "").lower() == sha:
        return pairs.get("part", str(part)) == str(part)
    return any(_leads_to(link, sha) for link in one.evidence)


def _leads_to(link: str, sha: str) -> bool:
    place, _slash, name = link.rstrip("/").lower().rpartition("/")
    return place.endswith(("/commit", "/commits")) and len(name) >= SHORTEST and sha.startswith(name)


def require_decided(draft: Contribution) -> None:
    """Refuse a draft of a commit that was declared meanwhile, or whose kind is not known.

    Raises: Conflict `commit_declared`; Invalid `kind_to_choose`.
    """
    for commit in draft.commits.all():
        if commit.kind_said:
            raise Invalid(
                "kind_to_choose",
                _("The commit says “%(kind)s”, which is no kind of work here: choose one, then declare the draft.")
                % {"kind": commit.kind_said},
                param="kind",
            )
        rows = told_already(contributor=draft.contributor, budget=draft.budget, sha=commit.sha, part=commit.part)
        if any(one.pk != draft.pk and one.state not in UNDECIDED for one in rows):
            raise Conflict(
                "commit_declared",
                _("You declared this commit already: delete this draft. Nothing was changed."),
            )


def kind_chosen(draft: Contribution) -> None:
    """Note that its contributor chose its kind."""
    draft.commits.exclude(kind_said="").update(kind_said="")
