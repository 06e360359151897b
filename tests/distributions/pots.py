"""Pots under a charter of one's choice, filled, worked for, closed and approved through the services alone."""

import itertools
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from allauth.account.models import EmailAddress

from backend.banking.services import import_statement
from backend.commons.models import Budget, Charter, Period
from backend.commons.services import create_commons, open_envelope, root_budget
from backend.contributions.models import Contribution
from backend.contributions.services import declare, review
from backend.distributions.models import Distribution
from backend.distributions.services import approve, close_period, compute_due
from backend.identity.models import User
from backend.identity.services import grant_role, host_day
from backend.ledger.services import balance
from backend.operations import demo
from backend.pledges.references import printed
from backend.pledges.services import make_pledge

_numbers = itertools.count(1)
LINK = ["https://example.org/paper"]
FEE_FREE = {100_00: 105_26}  # what is pledged so that the host's 5 % leave a round sum


@dataclass
class Pots:
    """The house of the demonstration, with more contributors and pots of one's own. Amounts in minor units."""

    world: demo.World
    bank: int = 0
    statements: int = 0
    people: dict[str, User] = field(default_factory=dict)

    @property
    def now(self) -> datetime:
        """The moment of the house."""
        return self.world.now

    def pass_days(self, days: int) -> None:
        """Let days go by."""
        self.world.now += timedelta(days=days)

    def person(self, name: str) -> User:
        """Somebody by their first name, made the first time."""
        if name in self.world.users:
            return self.world.users[name]
        if name not in self.people:
            user = User.objects.create_user(f"{name}@example.org", demo.PASSWORD, name=name.title(), language="en")
            EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
            self.people[name] = user
        return self.people[name]

    def pot(self, name: str, *members: str, rule: str = "claims_pro", **document: Any) -> Budget:
        """The common pot of a new commons under a charter; members may work for it."""
        tiers = [{"id": "general", "rule": rule, "take": {"rest": True}}]
        today = host_day(self.now)
        commons = create_commons(
            name=name, summary="A commons.", currency="EUR", steward=self.world.users["sacha"],
            first_day=today - timedelta(days=60), end_before=today + timedelta(days=1), now=self.now,
            document={"format": 1, "tiers": tiers, "period": {"days": 30}, **document},
        )  # fmt: skip
        budget = root_budget(commons)
        self.join(budget, *members)
        return budget

    def join(self, budget: Budget, *members: str) -> None:
        """Let people work for a budget."""
        for name in members:
            grant_role(
                user=self.person(name), kind="contributor", scope=budget.pk, granted_by=None, now=self.now
            )  # fmt: skip

    def envelope(self, parent: Budget, name: str, *, own_rules: bool = False) -> Budget:
        """An envelope below a budget; it follows its rules unless told."""
        return open_envelope(
            actor=self.world.users["sacha"], parent=parent, name=name, own_rules=own_rules, now=self.now
        )  # fmt: skip

    def fund(self, budget: Budget, net: int) -> None:
        """Receive a bank transfer of which `net` reaches the pot, the host's 5 % taken."""
        gross = next(gross for gross in range(net * 20 // 19 - 2, net * 20 // 19 + 3) if gross - self.fee(gross) == net)
        pledge = make_pledge(
            actor=self.world.users["ana"], budget=budget, organisation=self.world.organisation, amount=gross,
            currency="EUR", form_key=f"pot-{next(_numbers)}", now=self.now,
        )  # fmt: skip
        self.statements += 1
        text = f"don {printed(pledge.reference)}"
        data = demo.statement_file(
            self.world, number=self.statements, opening=self.bank, lines=[(gross, "LA FABRIQUE", text, "")]
        )
        self.bank += gross
        import_statement(actor=self.world.users["claire"], data=data, accept_gap=True, now=self.now)
        demo.sweep(self.now)

    @staticmethod
    def fee(gross: int) -> int:
        """The host's 5 %, halves up."""
        return (gross * 500 + 5_000) // 10_000

    def work(
        self,
        budget: Budget,
        name: str,
        amount: int = 0,
        minutes: int = 0,
        *,
        kind: str = "development",
        validated: int | None = None,
        approved: bool = True,
        on: date | None = None,
    ) -> Contribution:
        """Some work of a person, approved by the steward unless told."""
        made = declare(
            actor=self.person(name), budget=budget, worked_on=on or host_day(self.now), kind=kind, minutes=minutes,
            amount=amount, description=f"Work of {name}", evidence=LINK if kind == "expense" else (),
            form_key=f"pot-{next(_numbers)}", now=self.now,
        )  # fmt: skip
        if approved:
            review(
                actor=self.world.users["sacha"], contribution_id=made.pk, verdict="approve", minutes=validated,
                now=self.now,
            )  # fmt: skip
        made.refresh_from_db()
        return made

    def period(self, budget: Budget) -> Period:
        """The first open period of a budget."""
        return Period.objects.filter(budget=budget, state="open").order_by("starts_on")[0]

    def close(self, budget: Budget) -> Distribution:
        """Close the first open period of a pot and compute."""
        made = close_period(actor=self.world.users["claire"], period_id=self.period(budget).pk, now=self.now)
        compute_due(self.now)
        made = Distribution.objects.get(pk=made.pk)
        assert made.state == "published"
        return made

    def approve(self, distribution: Distribution) -> Distribution:
        """Approve as the other treasurer."""
        return approve(
            actor=self.world.users["denis"], distribution_id=distribution.pk, digest=distribution.digest, now=self.now
        )  # fmt: skip

    def names(self) -> dict[str, str]:
        """User id → the name by which `person` knows them."""
        return {user.pk: name for name, user in {**self.world.users, **self.people}.items()}

    def shares(self, distribution: Distribution) -> dict[str, int]:
        """Name → minor units."""
        names = self.names()
        return {names[one.contributor_id]: one.amount for one in distribution.shares.all()}

    def parts(self, distribution: Distribution) -> dict[tuple[str, str], int]:
        """(name, name of the purse) → minor units."""
        names = self.names()
        return {
            (names[share.contributor_id], part.budget.name): part.amount
            for share in distribution.shares.all()
            for part in share.parts.select_related("budget")
        }


def held(budget: Budget, kind: str = "budget") -> int:
    """What the ledger says that a purse of a budget holds, minor units."""
    return balance(kind=kind, owner=budget.pk, currency=budget.currency)


def document_of(budget: Budget) -> dict[str, Any]:
    """The document of the latest charter of a budget."""
    found: dict[str, Any] = Charter.objects.filter(budget=budget).latest("version").document
    return found
