"""What the tests of receipts read and do: purses, pledges, statements."""

from typing import Any

from backend.banking.models import BankLine
from backend.banking.services import import_statement
from backend.commons.models import Budget
from backend.ledger.services import balance
from backend.operations import demo
from backend.operations.selfcheck import check
from backend.pledges.models import Pledge
from backend.pledges.services import Terms, make_pledge, make_pledges

IBAN = "FR7630001007941234567890185"


def purses(world: Any) -> dict[str, int]:
    """What every purse of the house holds on its normal side, in cents; those at zero are left out."""
    account, budget = world.account.pk, world.budget.pk
    owners = {
        "bank": account, "suspense": account, "in_transit": account, "budget": budget, "deficit": budget,
        "host_fees": world.host.pk,
    }  # fmt: skip
    found = {kind: balance(kind=kind, owner=owner, currency="EUR") for kind, owner in owners.items()}
    for kind in ("cheque", "cash"):
        found[kind] = balance(kind="clearing", owner=f"{account}:{kind}", currency="EUR")
    return {kind: amount for kind, amount in found.items() if amount}


def a_pledge(world: Any, amount: int, key: str, terms: Terms | None = None) -> Pledge:
    """Ana promises this for her organisation, to be paid now."""
    more: dict[str, Any] = {} if terms is None else {"terms": terms}
    return make_pledge(
        actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=amount, currency="EUR",
        form_key=key, now=world.now, **more,
    )  # fmt: skip


def two_pledges(world: Any, other: Budget, amounts: tuple[int, int], key: str = "both") -> list[Pledge]:
    """Ana promises to two budgets in one act: one reference for both."""
    return make_pledges(
        actor=world.users["ana"], parts=[(world.budget, amounts[0]), (other, amounts[1])], currency="EUR",
        organisation=world.organisation, form_key=key, now=world.now,
    )  # fmt: skip


def bank_says(world: Any, number: int, opening: int, *lines: tuple[int, str, str]) -> BankLine:
    """A statement with these lines (amount, name, text), swept; gives the last of them."""
    rows = [(amount, name, text, "") for amount, name, text in lines]
    data = demo.statement_file(world, number=number, opening=opening, lines=rows)
    import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)
    demo.sweep(world.now)
    return BankLine.objects.latest("id")


def sound(world: Any) -> bool:
    """Whether the books check: every purse is explained and no cent is lost."""
    demo.sweep(world.now)
    return [one.code for one in check(sealing=False)] == []
