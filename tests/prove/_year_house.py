"""The house of the proof of a year: who promises, to which budgets, at which fee; and the bank that people pay into."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

PARIS = ZoneInfo("Europe/Paris")
BEGINS = date(2025, 1, 1)  # a Wednesday
# Each budget: what it is called, the host's fee of its own in basis points; None: that of the budget above, or the host
BUDGETS = (("pot", None), ("Nothing taken", 0), ("Two and a half", 250), ("As the pot", None))
HOST_FEE = 500
REFUNDED_TO = "FR1420041010050500013M02606"


def at(day: date, hour: int = 9) -> datetime:
    """An hour of a day on the host's clock."""
    return datetime.combine(day, time(hour), PARIS)


@dataclass(frozen=True)
class Seen:
    """One operation as the bank shows it: signed minor units, who, free text, end-to-end id."""

    amount: int
    name: str
    text: str
    end_to_end: str = ""


@dataclass
class Bank:
    """What moved on the account, day by day, and what of it was told by a statement. It knows nothing of Tronc."""

    days: dict[date, list[Seen]] = field(default_factory=lambda: defaultdict(list))
    told: int = 0
    statements: int = 0
    lines: int = 0

    def show(self, day: date, operation: Seen) -> None:
        """Let something move on a day to come."""
        self.days[day].append(operation)

    def statement(self, world: Any, day: date) -> bytes | None:
        """The file of all that moved before a day and was not told yet; None when there is nothing."""
        from backend.operations.demo import statement_file

        due = sorted(one for one in self.days if one < day)
        moved = [(one, operation) for one in due for operation in self.days.pop(one)]
        if not moved:
            return None
        opening = self.told
        self.told += sum(operation.amount for _day, operation in moved)
        self.statements += 1
        self.lines += len(moved)
        return statement_file(
            world, number=self.statements, opening=opening, days=[one for one, _operation in moved],
            lines=[(each.amount, each.name, each.text, each.end_to_end) for _day, each in moved],
        )  # fmt: skip


@dataclass
class House:
    """The world with its budgets, its payers and the counts of what was done in it."""

    world: Any
    dice: Random
    bank: Bank = field(default_factory=Bank)
    budgets: list[Any] = field(default_factory=list)
    organisations: list[tuple[Any, Any]] = field(default_factory=list)  # with who acts for them
    people: list[Any] = field(default_factory=list)
    done: dict[str, int] = field(default_factory=lambda: defaultdict(int))

    @property
    def claire(self) -> Any:
        """The treasurer who types."""
        return self.world.users["claire"]

    @property
    def denis(self) -> Any:
        """The treasurer who approves."""
        return self.world.users["denis"]


def build(seed: int, payers: int) -> House:
    """The host with what its papers need, one commons with four budgets, organisations and people."""
    from allauth.account.models import EmailAddress

    from backend.commons.services import open_envelope
    from backend.identity.models import Host, User
    from backend.identity.services import create_organisation
    from backend.operations import demo
    from backend.payments.services import set_fee

    now = at(BEGINS)
    world = demo.World(now=now)
    demo.make_people(world)
    demo.make_house(world)
    Host.objects.update(address="1 rue du Port\n35000 Rennes", vat_status="non_profit")
    house = House(world, Random(seed))  # noqa: S311  the dice must be the same again
    house.budgets.append(world.budget)
    for name, fee in BUDGETS[1:]:
        envelope = open_envelope(actor=world.users["sacha"], parent=world.budget, name=name, own_rules=False, now=now)
        if fee is not None:
            set_fee(actor=house.claire, budget_id=envelope.pk, fee_bp=fee, reason="agreed", now=now)
            envelope.refresh_from_db()
        house.budgets.append(envelope)
    for number in range(max(3, payers // 3)):
        user = User.objects.create_user(f"person{number}@example.org", demo.PASSWORD, name=f"Person {number}")
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        house.people.append(user)
        organisation = create_organisation(name=f"Organisation {number}", kind="association", manager=user, now=now)
        house.organisations.append((organisation, user))
    return house


def promise(house: House, number: int, day: date) -> str:
    """One act of promising, of a kind drawn from the dice; returns its reference."""
    from backend.pledges.donations import give
    from backend.pledges.services import Terms, make_pledges

    dice, now = house.dice, at(day, 10)
    rhythm = dice.choice(["once", "monthly", "monthly", "quarterly", "yearly"])
    amount = dice.choice([500, 1_000, 1_999, 5_000, 10_001, 33_333, 120_000])
    kind = dice.choice(["organisation"] * 6 + ["person"] * 2 + ["donor"] * 2)
    house.done[f"promises by {kind}"] += 1
    if kind == "donor":
        made = give(
            budget=house.budgets[0], name=f"Donor {number}", email=f"donor{number}@example.org", amount=amount,
            currency="EUR", rhythm="once" if rhythm == "quarterly" else rhythm, named=dice.random() < 0.3,
            language="fr", form_key=f"p{number}", now=now,
        )  # fmt: skip
        return str(made.reference)
    parts = dice.sample(house.budgets, dice.choice([1, 1, 1, 2, 3]))
    house.done["promises split over several budgets"] += len(parts) > 1
    visibility = dice.choice(["visible", "visible", "pseudonymous", "anonymous"])
    terms = Terms(
        rhythm=rhythm, visibility=visibility, pseudonym="A friend" if visibility == "pseudonymous" else "",
        purchase_order=f"PO-{number}" if dice.random() < 0.2 else "",
        ends_on=day + timedelta(days=200) if rhythm != "once" and dice.random() < 0.2 else None,
    )  # fmt: skip
    organisation, person = dice.choice(house.organisations)
    payer = {"organisation": organisation} if kind == "organisation" else {"person": person}
    made = make_pledges(
        actor=person, parts=[(budget, amount + index) for index, budget in enumerate(parts)], currency="EUR",
        terms=terms, form_key=f"p{number}", now=now, **payer,
    )  # fmt: skip
    return str(made[0].reference)
