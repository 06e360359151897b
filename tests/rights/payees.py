"""Payees of one's own and of somebody else, the link that blocks one, and a director of the host."""

from typing import TYPE_CHECKING

from backend.distributions.models import SupportingDocument
from backend.identity.services import host_day
from backend.payees.blocking import block_token
from backend.payees.details import Details, add_payee
from backend.payees.directors import mark_director
from backend.payees.models import Payee

if TYPE_CHECKING:
    from tests.rights.world import House


def add_payees(house: "House") -> None:
    """A second payee of the contributor; the first one of somebody else in the same pot."""
    bo, camille = house.played.users["bo"], house.played.users["camille"]
    second = add_payee(
        actor=bo, details=Details(kind="cooperative", legal_name="Coop des Prés", siren="404833048"), now=house.now
    )
    director = mark_director(
        actor=house.people["treasurer"], email=camille.email, starts_on=host_day(house.now), now=house.now
    )
    house.things |= {
        "payee": {
            "own": {"payee_id": second.pk},
            "foreign": {"payee_id": Payee.objects.get(user=camille).pk},
        },
        "supporting document": {
            "own": {"paper_id": SupportingDocument.objects.get(share__contributor=bo).pk},
            "other": {"paper_id": SupportingDocument.objects.get(share__contributor=house.berta).pk},
        },
        "block": {"own": {"token": block_token(second.pk, now=house.now)}},
        "director": {"own": {"director_id": director.pk}},
    }
