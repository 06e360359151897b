"""A contributor's own table of work, declared as a whole and undone as a whole. Reading files is no matter of here."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy as _

from backend.commons.models import Budget, Period
from backend.contributions.models import Contribution, Import
from backend.contributions.own import InBatch, declare_many
from backend.contributions.peers import UNDER_REVIEW, hold_contribution
from backend.contributions.services import may_declare, take_back
from backend.core.errors import Conflict, DomainError, Forbidden, NotFound
from backend.core.ids import new_id
from backend.events.services import record
from backend.identity.models import User

SHARED = ("included", "settled")
GONE = ("draft", "withdrawn", "rejected")
# What makes two rows the same work.
FACTS = ("worked_on", "kind", "minutes", "amount", "description")


def require_may_import(actor: User, budget: Budget) -> None:
    """Refuse who may not declare there.

    Raises: Forbidden `not_allowed`.
    """
    if not may_declare(actor, budget):
        raise Forbidden(
            "not_allowed", _("Your roles do not allow this. Nothing was changed."), action="contribution.declare"
        )


def require_new_file(*, actor: User, budget: Budget, sha256: str) -> None:
    """Refuse a file that the person imported for this budget already.

    Raises: Conflict `import_known`.
    """
    known = Import.visible_to(actor).filter(budget=budget, sha256=sha256, undone_at=None).first()
    if known is not None:
        raise Conflict(
            "import_known",
            _("You imported this very file already, as “%(name)s”. Undo that import to give it again.")
            % {"name": known.file_name},
            param="file",
        )


def declared_already(*, actor: User, budget: Budget, items: Sequence[Mapping[str, Any]]) -> set[int]:
    """The places of those that the person has declared there: same day, kind, time, amount and words."""
    mine = Contribution.objects.filter(
        contributor=actor, budget=budget, worked_on__in={item["worked_on"] for item in items}
    )
    known = Counter(mine.exclude(state__in=GONE).values_list(*FACTS))
    found = set()
    for place, item in enumerate(items):
        facts = tuple(item[name] for name in FACTS)
        if known[facts] > 0:
            known[facts] -= 1
            found.add(place)
    return found


@transaction.atomic
def keep_import(
    *,
    actor: User,
    budget: Budget,
    items: Sequence[Mapping[str, Any]],
    file_name: str,
    sha256: str,
    columns: Mapping[str, Any],
    form_key: str,
    now: datetime,
) -> Import:
    """Declare the rows of a table as one's own work, all or none. Moves no money.

    Args: items: 1 to 500, each what `declare` takes. sha256: of the file. columns: what each was taken for.
        form_key: a repetition gives back the first one.
    Raises: Forbidden `not_allowed`; Conflict `import_known`; Invalid `batch_size`; InBatch with each row refused.
    """
    require_may_import(actor, budget)
    User.objects.select_for_update(no_key=True).get(pk=actor.pk)  # the same file twice at once is kept once
    first = Import.visible_to(actor).filter(form_key=form_key).first()
    if first is not None:
        return first
    require_new_file(actor=actor, budget=budget, sha256=sha256)
    key = new_id("imp")
    declare_many(
        actor=actor, items=[{**item, "budget": budget.pk, "source": key} for item in items], form_key=key, now=now,
        budget_of=lambda _name: budget,
    )  # fmt: skip
    row = Import.objects.create(
        id=key, budget=budget, made_by=actor, file_name=file_name[:120], sha256=sha256, columns=dict(columns),
        rows=len(items), form_key=form_key, created_at=now,
    )  # fmt: skip
    record(
        "import.kept", actor=actor, subject=key, now=now, scopes=[budget.pk], after={"rows": len(items)}, sha256=sha256
    )
    return row


def refused_of(
    *, actor: User, budget: Budget, items: Sequence[Mapping[str, Any]], now: datetime
) -> list[tuple[int, DomainError]]:
    """The places that would be refused, and why: all are declared, and nothing of it is kept.

    Raises: Forbidden `not_allowed`; Invalid `batch_size`.
    """
    require_may_import(actor, budget)
    refused: list[tuple[int, DomainError]] = []
    with transaction.atomic():
        try:
            declare_many(
                actor=actor, items=[{**item, "budget": budget.pk} for item in items], form_key=new_id("imp"), now=now,
                budget_of=lambda _name: budget,
            )  # fmt: skip
        except InBatch as refusal:
            refused = refusal.refused
        transaction.set_rollback(True)
    return refused


@transaction.atomic
def undo_import(*, actor: User, import_id: str, now: datetime) -> Import:
    """Withdraw all that came with an import, while nothing of it is in a distribution. Moves no money.

    What was withdrawn, rejected or given up meanwhile stays as it is.
    Raises: NotFound `import_not_found`; Conflict `import_shared`.
    """
    row = Import.visible_to(actor).select_for_update(of=("self",)).filter(pk=import_id).first()
    if row is None:
        raise NotFound("import_not_found", _("There is no such import."))
    if row.undone_at is not None:
        return row
    came = Contribution.objects.filter(source=row.pk)  # what was shared stays on an account that was merged
    periods = Period.objects.filter(pk__in=came.values("period")).order_by("starts_on")
    list(periods.select_for_update(of=("self",), no_key=True))  # as a closing does, before any contribution
    if came.filter(state__in=SHARED).exists():
        raise Conflict(
            "import_shared",
            _(
                "Part of this import is in a distribution already: it cannot be undone as a whole. Withdraw the "
                "others one by one. Nothing was changed."
            ),
        )
    for contribution_id in list(came.filter(contributor=actor).order_by("pk").values_list("pk", flat=True)):
        contribution = hold_contribution(actor, contribution_id)
        if contribution.state in (*UNDER_REVIEW, "validated"):
            take_back(contribution, now=now)
            record("contribution.withdrawn", actor=actor, subject=contribution.pk, now=now, scopes=[row.budget_id])
    row.undone_at = now
    row.save(update_fields=["undone_at"])
    record("import.undone", actor=actor, subject=row.pk, now=now, scopes=[row.budget_id])
    return row
