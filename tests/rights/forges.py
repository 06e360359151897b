"""What the world of the matrix holds of forges and of imports: repositories, an address of commits, tables of work."""

from typing import TYPE_CHECKING

from backend.contributions.models import Import
from backend.contributions.repositories import connect_repository, link_address
from backend.core.ids import new_id
from backend.identity.models import Role, User

if TYPE_CHECKING:
    from tests.rights.world import House


def add_forges(house: "House") -> None:
    """Add them: the repositories by a steward of each pot, the address of commits by the contributor and another."""
    found = {}
    for which, budget in (("own", house.played.budget), ("other", house.pot)):
        steward = User.objects.get(pk=Role.objects.filter(kind="steward", scope=budget.pk).values("user")[:1])
        row, _secret = connect_repository(
            actor=steward, budget_id=budget.pk, forge="forgejo", address=f"https://codeberg.org/carto/{which}",
            now=house.now,
        )  # fmt: skip
        found[which] = {"repository_id": row.pk}
    mine = link_address(actor=house.people["contributor"], address="bo@home.example", now=house.now)
    theirs = link_address(actor=house.berta, address="berta@home.example", now=house.now)
    house.things |= {
        "repository": found,
        "import": {
            which: {"import_id": _imported(house, person)}
            for which, person in (("own", house.people["contributor"]), ("foreign", house.berta))
        },
        "commit address": {"own": {"link_id": mine.pk}, "foreign": {"link_id": theirs.pk}},
    }


def _imported(house: "House", person: User) -> str:
    return Import.objects.create(
        id=new_id("imp"), budget=house.played.budget, made_by=person, file_name="work.csv", sha256="0" * 64, rows=1,
        form_key="table", created_at=house.now,
    ).pk  # fmt: skip
