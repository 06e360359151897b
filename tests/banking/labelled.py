"""Five hundred bank lines of our own, each with what it truly is: deterministic, with traps.

A line is `matchable` when what it says is enough for two independent reasons: a treasurer would not ask anybody. The
others are traps: whatever is called exact of them is wrong, unless it is their truth.
"""

import random
import re
from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import product
from typing import Any

from backend.banking.services import import_statement, match_due
from backend.identity.models import Organisation
from backend.identity.services import create_organisation
from backend.operations import demo
from backend.pledges.models import Pledge
from backend.pledges.references import printed
from backend.pledges.services import make_pledge

FIRST = (
    "Marie", "Paul", "Agnès", "Boris", "Chloé", "David", "Elsa", "Farid", "Gaëlle", "Hugo", "Inès", "Joël",
    "Karim", "Lucie", "Maël", "Noémie", "Oscar", "Pia", "Quentin", "Rosa", "Simon", "Tania", "Ugo", "Valérie", "Wassim",
    "Yaëlle",
)  # fmt: skip
LAST = (
    "Durand", "Martin", "Le Goff", "Nguyen", "Petit", "Bernard", "Moreau", "Garcia", "Rousseau", "Fontaine",
    "Chevalier", "Masson", "Lambert", "Bonnet", "Perrin", "Colin",
)  # fmt: skip
AMOUNTS = (10_00, 15_00, 20_00, 25_00, 30_00, 40_00, 50_00, 60_00, 75_00, 100_00, 120_00, 150_00, 240_00)


@dataclass
class Labelled:
    """One line: cents, the name and the text that the bank writes, the other account, and what it truly is."""

    sort: str
    amount: int
    name: str
    text: str
    account: str = ""
    truth: str = ""  # `pledge:…` or `own:…`; empty for nothing of ours
    matchable: bool = False


@dataclass
class Payer:
    """Somebody who promises, with the account they pay from."""

    name: str
    organisation: Organisation
    account: str
    pledges: list[Pledge] = field(default_factory=list)

    @property
    def written(self) -> str:
        """The name as a bank writes it: family name first, capitals, a title."""
        first, _space, last = self.name.partition(" ")
        return f"M. {last} {first}".upper()


class Maker:
    """Makes the payers, the pledges and the lines in the world of a test."""

    def __init__(self, world: Any, seed: int = 11) -> None:
        """Begin with nobody."""
        self.world = world
        self.dice = random.Random(seed)  # noqa: S311 — a lottery of examples, the same each time
        names = [f"{first} {last}" for first, last in product(FIRST, LAST)]
        self.dice.shuffle(names)
        self.names = iter(names)
        self.history: list[Labelled] = []
        self.lines: list[Labelled] = []
        self.accounts = 0

    def an_account(self) -> str:
        """An account of nobody real, with right check figures."""
        self.accounts += 1
        body = f"30002005500000{self.accounts:09d}"
        check = 98 - int(f"{body}152700") % 97  # F, R and the zeros, as figures
        return f"FR{check:02d}{body}"

    def payer(self, *amounts: int, name: str = "", known: str | bool = True) -> Payer:
        """Somebody with pledges. Args: known: whether they paid before, from an account of theirs or from this one."""
        world = self.world
        name = name or next(self.names)
        account = known if isinstance(known, str) else self.an_account()
        organisation = create_organisation(
            name=name, kind="association", manager=world.users["ana"], now=world.now
        )  # fmt: skip
        made = Payer(name, organisation, account)
        if known:
            before = self._promise(made, 7_00)
            self.history.append(Labelled("history", 7_00, made.written, before.reference, account))
        made.pledges = [self._promise(made, amount) for amount in amounts]
        return made

    def _promise(self, payer: Payer, amount: int) -> Pledge:
        self.accounts += 1
        return make_pledge(
            actor=self.world.users["ana"], budget=self.world.budget, organisation=payer.organisation, amount=amount,
            currency="EUR", form_key=f"labelled-{self.accounts}", now=self.world.now,
        )  # fmt: skip

    def amounts(self, number: int) -> list[int]:
        """Some amounts, each another."""
        return self.dice.sample(AMOUNTS, number)

    def add(self, sort: str, amount: int, name: str, text: str, **facts: Any) -> None:
        """One line."""
        self.lines.append(Labelled(sort, amount, name, text, **facts))

    def matchable(self) -> None:
        """Three hundred and thirty lines that say enough."""
        for _payer in range(25):
            one = self.payer(*self.amounts(2), known=False)
            for index, pledge in enumerate(one.pledges):
                said = printed(pledge.reference).lower() if index else pledge.reference.replace("F", "f ", 1)
                facts: dict[str, Any] = {"truth": f"pledge:{pledge.pk}", "matchable": True}
                self.add("reference", pledge.amount, one.written, f"don {said} merci", **facts)
        for sort, payers in (("account and name", 55), ("account, short name", 30), ("wrong reference", 12)):
            for _payer in range(payers):
                one = self.payer(*self.amounts(2))
                for pledge in one.pledges:
                    name, text = one.written, "don mensuel"
                    if sort == "account, short name":
                        name = "M " + one.name.split(" ", 1)[1].upper()
                    elif sort == "wrong reference":
                        text = spoilt(pledge.reference)
                    facts = {"truth": f"pledge:{pledge.pk}", "matchable": True}
                    self.add(sort, pledge.amount, name, text, account=one.account, **facts)
        for _payer in range(38):
            one = self.payer(*self.amounts(2), known=False)
            for pledge in one.pledges:
                facts = {"truth": f"pledge:{pledge.pk}", "matchable": True}
                self.add("name", pledge.amount, one.written, "virement", **facts)
        for number in range(10):
            facts = {"truth": "own:627", "matchable": True}
            self.add("charge", -(3_00 + number), "BANQUE DU PORT", f"FRAIS TENUE DE COMPTE {number + 1}", **facts)

    def traps(self) -> None:
        """A hundred and sixty-four lines of which nothing is exact."""
        for _payer in range(20):  # two pledges of one amount
            (amount,) = self.amounts(1)
            one = self.payer(amount, amount)
            self.add("same amounts", amount, one.written, "don", account=one.account)
        for _pair in range(10):  # the name of one, the account of the other
            (amount,) = self.amounts(1)
            one, two = self.payer(amount), self.payer(amount)
            self.add("swapped names", amount, one.written, "don", account=two.account)
            self.add("swapped names", amount, two.written, "don", account=one.account)
        for _payer in range(15):  # half of a reference, another amount
            one = self.payer(*self.amounts(1), known=False)
            pledge = one.pledges[0]
            self.add("partial", pledge.amount - 1, "M INCONNU", f"don {pledge.reference[:11]}")
        for _payer in range(20):  # what is left once a bank kept its fee
            one = self.payer(*self.amounts(1))
            truth = f"pledge:{one.pledges[0].pk}"
            self.add("fees", one.pledges[0].amount - 1_20, one.written, "don", account=one.account, truth=truth)
        for _pair in range(10):  # twice the same, for one pledge
            one = self.payer(*self.amounts(1))
            for _twin in range(2):
                self.add("twins", one.pledges[0].amount, one.written, "don", account=one.account)
        for _pair in range(8):  # two payers, one account
            (amount,) = self.amounts(1)
            shared, last = self.an_account(), self.dice.choice(LAST)
            for first in self.dice.sample(FIRST, 2):
                self.payer(amount, name=f"{first} {last}o", known=shared)
            for _line in range(2):
                self.add("one account", amount, f"M OU MME {last.upper()}O", "don", account=shared)
        for number in range(16):  # the family name of another; the whole name, on another account than theirs
            (amount,) = self.amounts(1)
            one = self.payer(amount, name=f"{FIRST[number]} {LAST[number]}sen")
            other = f"{LAST[number]}SEN {FIRST[-1] if number % 2 else FIRST[number]}".upper()
            self.add("family", amount, other, "don", account=self.an_account())
        for _pair in range(10):  # two amounts that add up by chance
            one, two = self.payer(*self.amounts(1)), self.payer(*self.amounts(1))
            self.add("chance", one.pledges[0].amount + two.pledges[0].amount, "UNE INCONNUE", "don")
        for number in range(6):  # two payers of one name
            (amount,) = self.amounts(1)
            homonyms = [self.payer(amount, name=f"{FIRST[number]} Homonym{number}", known=False) for _two in range(2)]
            self.add("homonyms", amount, homonyms[0].written, "don")
        for number in range(21):  # nobody of ours
            self.add("nobody", self.dice.choice(AMOUNTS), f"PASSANTE {number:02d} RARE", "merci a vous")

    def rest(self) -> None:
        """What the host pays, that no rule knows."""
        while len(self.lines) < 500:
            number = len(self.lines)
            self.add("bought", -(20_00 + number), f"FOURNISSEUR {number}", f"FACTURE {number}")


def spoilt(reference: str) -> str:
    """A reference with one character other than it is."""
    place = 9
    return reference[:place] + ("3" if reference[place] != "3" else "4") + reference[place + 1 :]


def brought(world: Any, lines: list[Labelled], number: int) -> None:
    """Import lines as one statement of the bank, with the accounts of who paid, and let the sweep match them."""
    rows = [(one.amount, one.name, one.text, "") for one in lines]
    days = [world.today - timedelta(days=place % 20) for place in range(len(lines))]
    data = demo.statement_file(world, number=number, opening=0, lines=rows, days=days).decode()
    accounts = iter(lines)

    def with_account(found: re.Match[str]) -> str:
        role, account = found.group(1), next(accounts).account
        said = f"<{role}Acct><Id><IBAN>{account}</IBAN></Id></{role}Acct>" if account else ""
        return f"</{role}>{said}</RltdPties>"

    data = re.sub(r"</(Dbtr|Cdtr)></RltdPties>", with_account, data)
    import_statement(actor=world.users["claire"], data=data.encode(), accept_gap=True, now=world.now)
    match_due(world.now)
    world.now += timedelta(minutes=1)


def make(world: Any) -> list[Labelled]:
    """The payers, their pledges and what they paid before; then the five hundred lines, shuffled, to be imported."""
    maker = Maker(world)
    maker.matchable()
    maker.traps()
    maker.rest()
    assert len(maker.lines) == 500, Counter(one.sort for one in maker.lines)
    brought(world, maker.history, number=1)
    maker.dice.shuffle(maker.lines)
    return maker.lines
