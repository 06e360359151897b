"""What is said against a distribution, as its page shows it to somebody."""

from collections.abc import Sequence
from typing import Any

from django import forms

from backend.commons.services import tree_of
from backend.distributions.models import Distribution, DistributionObjection
from backend.distributions.services import may_object, may_settle
from backend.identity.models import User
from backend.identity.services import people_with
from backend.web.forms_talk import DistributionOpinionForm, ObjectionForm

Refused = dict[str, forms.Form]  # the form that was sent, with its errors: "object", or the id of an objection


def said_of(actor: User, distribution: Distribution, refused: Refused | None = None) -> dict[str, Any]:
    """The objections with what was decided of each, and the forms of what this person may say."""
    known = refused or {}
    raised = distribution.objections.select_related("objector", "distribution__period__budget").prefetch_related(
        "opinions__steward"
    )
    stewards = people_with("steward", tree_of(distribution.period.budget)) if raised.exists() else []
    rows = [
        {
            "row": row,
            "opinions": sorted(row.opinions.all(), key=lambda said: said.created_at),
            "stands": row.state in row.STANDING,
            "can_lift": row.state in row.STANDING and row.objector_id == actor.pk,
            "form": known.get(row.pk)
            or (DistributionOpinionForm(auto_id=f"{row.pk}_%s") if may_settle(actor, row) else None),
            "deciders": _deciders(stewards, row) if row.state == "open" else [],
        }
        for row in raised.order_by("created_at", "pk")
    ]
    blank = ObjectionForm(auto_id="object_%s") if may_object(actor, distribution) else None
    return {
        "objections": rows,
        "object": known.get("object") or blank,
        "settled_by": distribution.charter.settled_by,
        "steward": any(one.pk == actor.pk for one in stewards),
        "form": next(iter(known.values()), None),  # the summary of errors, on top
    }


def _deciders(stewards: Sequence[User], row: DistributionObjection) -> list[str]:
    """The names of the stewards who decide of an objection, or did."""
    spoken = {said.steward_id for said in row.opinions.all()}
    return [one.name for one in stewards if one.pk in spoken or may_settle(one, row)]
