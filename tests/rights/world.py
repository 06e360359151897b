"""The little world in which every cell of the matrix is tried: two commons, two organisations, a person per role.

Made through the services alone. `things` says, for each sort of object that an address names, which one is one's own,
which is somebody else's in the same commons, and which is of another commons or organisation.
"""

import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.test import Client
from django.utils import timezone

from backend.banking.models import BankLine
from backend.banking.services import import_statement
from backend.commons.models import Budget, Commons
from backend.commons.services import create_commons, open_envelope, root_budget
from backend.contributions.models import Contribution
from backend.contributions.peers import ask_question, object_to
from backend.contributions.services import declare, review
from backend.distributions.arbitration import propose_arbitration, withdraw_arbitration
from backend.distributions.models import Distribution, Share
from backend.distributions.services import approve, close_period, object_to_distribution
from backend.identity.inviting import Named, invitation_token, invite_person
from backend.identity.models import ApiToken, Organisation, User
from backend.identity.services import add_bank_account, create_organisation, grant_role, host_day
from backend.identity.tokens import create_token
from backend.ledger.closing import ask_lock, next_month
from backend.ledger.freezing import freeze
from backend.ledger.services import latest_heads, statement
from backend.operations import demo
from backend.payees.services import set_account
from backend.payouts.services import prepare_batch
from backend.pledges.donations import gift_code, give
from backend.pledges.models import Pledge
from backend.pledges.references import printed
from backend.pledges.services import make_pledge
from backend.transfers.openings import propose_opening
from backend.transfers.services import propose_transfer
from tests.papers import document_all
from tests.rights.forges import add_forges
from tests.rights.payees import add_payees
from tests.rights.provider import add_provider
from tests.rights.receipts import add_receipts
from tests.rights.rounds import add_rounds
from tests.rights.waiting import add_waiting
from tests.treasurers import make_treasurer

PERSONAS = (
    "anonymous", "outsider", "contributor", "member", "manager", "steward", "treasurer", "auditor", "administrator",
)  # fmt: skip
STRONG = ("steward", "treasurer", "auditor", "administrator")
OTHER_IBAN = "FR7630001007941234567890185"
BERTA_IBAN = "FR7610107001011234567890129"


class OwnOfEach(dict[str, dict[str, Any]]):
    """An object of which each persona has one of their own: what the address names, by persona."""


@dataclass
class House:
    """The world, its people by persona, and its objects."""

    played: demo.World
    now: datetime
    people: dict[str, User] = field(default_factory=dict)
    # object → own, foreign, other → what the address names
    things: dict[str, dict[str, Any]] = field(default_factory=dict)
    # route → what its form must hold to come as far as the question of rights
    forms: dict[str, dict[str, Any]] = field(default_factory=dict)
    browsers: dict[str, Client] = field(default_factory=dict)
    entered: dict[str, float] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    head: int = field(init=False)  # entries under the last head of the log
    sea: Commons = field(init=False)
    pot: Budget = field(init=False)
    roof: Organisation = field(init=False)
    basil: User = field(init=False)
    berta: User = field(init=False)
    otto: User = field(init=False)

    def browser(self, persona: str) -> Client:
        """The browser of a persona, signed in the first time it is asked for; its factor is of this minute."""
        if persona not in self.browsers:
            self.browsers[persona] = enter(self.people[persona]) if persona != "anonymous" else Client()
            self.browsers[persona].raise_request_exception = False
            self.entered[persona] = time.monotonic()
        if persona != "anonymous" and time.monotonic() - self.entered[persona] > 60:
            given_now(self.browsers[persona])
            self.entered[persona] = time.monotonic()
        return self.browsers[persona]

    def names(self, of: str, which: str, persona: str) -> dict[str, Any]:
        """What an address names for a cell of the matrix."""
        if of == "-":
            return {}
        found = self.things[of][which]
        return dict(found[persona]) if isinstance(found, OwnOfEach) else dict(found)


def build() -> House:
    """Make the world, here and now; the caller holds the transaction that undoes it."""
    now = timezone.now()
    # The journey of the demonstration ended with the month before: that month can be locked, and a new period runs.
    eve = now.astimezone(ZoneInfo("Europe/Paris")).replace(day=1, hour=12) - timedelta(days=1)
    played = demo.World(now=eve)
    for step in demo.STEPS:
        step(played)
    house = House(played=played, now=now)
    _people(house)
    _second_commons(house)
    _money(house)
    _work(house)
    _moves(house)
    _shared_out(house)
    _waiting(house)
    _tokens(house)
    add_payees(house)
    add_waiting(house)
    add_receipts(house)
    add_provider(house)
    add_forges(house)
    add_rounds(house)
    house.head = int(latest_heads(limit=1)[0]["size"])
    house.forms = {
        "review_one": {"verdict": "approve"},
        "question_new": {"text": "Why?"},
        "question_answer": {"answer": "Because"},
        "objection_new": {"reason": "Twice"},
        "objection_decide": {"upholds": "no", "reason": "Once"},
        "distribution_object": {"reason": "Twice"},
        "distribution_objection_decide": {"upholds": "no", "reason": "Once"},
        "adjustment_page": {"act": "agree"},
        "transfer_page": {"act": "accept"},
        "opening_page": {"act": "accept"},
        "offer_answer": {"act": "accept"},
        "proposal_page": {"act": "accept"},
    }
    return house


def person(key: str, name: str, *, strong: bool = False) -> User:
    """Somebody with a verified address, and a second factor when their role will want one."""
    user = User.objects.create_user(f"{key}@example.org", demo.PASSWORD, name=name, language="en")
    EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    if strong:
        demo.give_factor(user)
    return user


def enter(user: User, *, factor: bool = True) -> Client:
    """A browser in which this person signed in through the pages; with their second factor unless told otherwise."""
    browser = Client()
    answer = browser.post("/en/accounts/login/", {"login": user.email, "password": demo.PASSWORD})
    assert answer.status_code == 302, answer.content.decode()
    if factor and "/2fa/authenticate/" in answer.headers["Location"]:
        code = demo.code_for(time.time())
        cache.delete(f"allauth.mfa.totp.used?user={user.pk}&code={code}")
        answer = browser.post("/en/accounts/2fa/authenticate/", {"code": code})
        assert answer.status_code == 302, answer.content.decode()
    return browser


def given_now(browser: Client, *, ago: float = 0) -> None:
    """Make the proofs of a session as old as this, in seconds."""
    session = browser.session
    for record in session["account_authentication_methods"]:
        record["at"] = time.time() - ago
    session.save()


def _people(house: House) -> None:
    """One person per role, beside those who made the world; and the people of the second commons."""
    users, played, now = house.played.users, house.played, house.now
    house.people = {
        "outsider": person("olga", "Olga Petit"),
        "contributor": users["bo"],
        "member": person("mia", "Mia Robert"),
        "manager": users["ana"],
        "steward": users["sacha"],
        "treasurer": person("tess", "Tess Blanc", strong=True),
        "auditor": person("aude", "Aude Roux", strong=True),
        "administrator": person("adam", "Adam Noir", strong=True),
    }
    make_treasurer(house.people["treasurer"], now=house.now)
    for kind in ("auditor", "administrator"):
        grant_role(user=house.people[kind], kind=kind, scope=played.host.pk, granted_by=None, now=now)
    grant_role(
        user=house.people["member"], kind="organisation_member", scope=played.organisation.pk, granted_by=users["ana"],
        now=now,
    )  # fmt: skip
    house.basil = person("basil", "Basil Gris", strong=True)
    house.berta = person("berta", "Berta Vert")
    house.otto = person("otto", "Otto Bleu")


def _second_commons(house: House) -> None:
    """Another commons with its steward and contributor, another organisation with its manager; an envelope in each."""
    now, today = house.now, host_day(house.now)
    house.roof = create_organisation(name="Le Grand Toit", kind="association", manager=house.otto, now=now)
    house.sea = create_commons(
        name="Semences", summary="Des semences libres.", currency="EUR", steward=house.basil,
        first_day=today - timedelta(days=60), end_before=today + timedelta(days=30), now=now,
    )  # fmt: skip
    house.pot = root_budget(house.sea)
    grant_role(user=house.berta, kind="contributor", scope=house.pot.pk, granted_by=house.basil, now=now)
    set_account(actor=house.berta, name=house.berta.name, iban=BERTA_IBAN, now=now - timedelta(days=4))


def _money(house: House) -> None:
    """A paid pledge for each of the two pots, and two pledges more that wait for their money."""
    users, played = house.played.users, house.played
    facts: dict[str, Any] = {"currency": "EUR", "now": house.now}
    near = make_pledge(
        actor=users["ana"],
        budget=played.budget,
        organisation=played.organisation,
        amount=200_00,
        form_key="r1",
        **facts,
    )
    far = make_pledge(
        actor=house.otto, budget=house.pot, organisation=house.roof, amount=200_00, form_key="r2", **facts
    )
    lines = [(200_00, "PAYEUR", printed(one.reference), "") for one in (near, far)]
    data = demo.statement_file(played, number=3, opening=42_50, lines=lines, days=[host_day(house.now)] * 2)
    import_statement(actor=users["claire"], data=data, accept_gap=True, now=house.now)
    demo.sweep(house.now)
    open_ones = {
        "own": make_pledge(
            actor=users["ana"], budget=played.budget, organisation=played.organisation, amount=50_00, form_key="r3",
            **facts,
        ),
        "foreign": make_pledge(
            actor=house.otto, budget=played.budget, organisation=house.roof, amount=50_00, form_key="r4", **facts
        ),
        "other": make_pledge(
            actor=house.otto, budget=house.pot, organisation=house.roof, amount=50_00, form_key="r5", **facts
        ),
    }  # fmt: skip
    gift = give(
        budget=played.budget, name="Gaëlle Roy", email="gaelle@example.org", amount=20_00, currency="EUR",
        rhythm="once", named=False, language="fr", form_key="gift", now=house.now,
    )  # fmt: skip
    house.things["gift"] = {"own": {"code": gift_code(gift)}}
    assert Pledge.objects.filter(pk__in=[near.pk, far.pk]).exclude(state="promised").count() == 2
    house.things |= {
        "pledge": {which: {"pledge_id": row.pk} for which, row in open_ones.items()},
        "instalment": {
            which: {"instalment_id": row.instalments.get().pk} for which, row in open_ones.items()
        },
        "organisation": {
            "own": {"organisation_id": played.organisation.pk}, "foreign": {"organisation_id": house.roof.pk},
        },
        "commons": {"own": {"slug": played.commons.slug}, "other": {"slug": house.sea.slug}},
    }  # fmt: skip


def _declared(house: House, actor: User, budget: Budget, key: str) -> Contribution:
    return declare(
        actor=actor, budget=budget, worked_on=host_day(house.now), kind="development", minutes=60, amount=20_00,
        description=f"Work {key}", form_key=f"rights-{key}", now=house.now,
    )  # fmt: skip


def _work(house: House) -> None:
    """Work that awaits its review, by three people; and validated work to share out in each pot."""
    users, played = house.played.users, house.played
    for actor, steward, budget in (
        (users["bo"], users["sacha"], played.budget),
        (users["camille"], users["sacha"], played.budget),
        (house.berta, house.basil, house.pot),
    ):
        row = _declared(house, actor, budget, f"done-{actor.pk}")
        review(actor=steward, contribution_id=row.pk, verdict="approve", now=house.now)
    waiting = {
        "own": _declared(house, users["bo"], played.budget, "a"),
        "foreign": _declared(house, users["camille"], played.budget, "b"),
        "other": _declared(house, house.berta, house.pot, "c"),
    }
    house.things["contribution"] = {which: {"contribution_id": row.pk} for which, row in waiting.items()}
    house.things["question"], house.things["objection"] = {}, {}
    for which, author, peer, judge_of, pot in (
        ("own", users["bo"], users["sacha"], users["camille"], played.budget),
        ("other", house.berta, house.basil, house.berta, house.pot),
    ):
        asked = _declared(house, author, pot, f"asked-{which}")
        question = ask_question(actor=peer, contribution_id=asked.pk, text="Why?", now=house.now)
        house.things["question"][which] = {"contribution_id": asked.pk, "question_id": question.pk}
        # Somebody else than the steward of one's own pot objects, so that the steward may decide.
        doubted = _declared(house, judge_of, pot, f"doubted-{which}")
        objector = author if which == "own" else house.basil
        objection = object_to(actor=objector, contribution_id=doubted.pk, reason="Twice", now=house.now)
        house.things["objection"][which] = {"contribution_id": doubted.pk, "objection_id": objection.pk}


def _moves(house: House) -> None:
    """In each commons, a transfer to an envelope that waits for a second person."""
    users, played, now = house.played.users, house.played, house.now
    moved = {}
    for which, budget, steward in (("own", played.budget, users["sacha"]), ("other", house.pot, house.basil)):
        envelope = open_envelope(actor=steward, parent=budget, name=f"Envelope {which}", own_rules=False, now=now)
        transfer = propose_transfer(
            actor=steward, kind="move", source=budget, target=envelope, amount=5_00, reason="a start",
            form_key=f"move-{which}", now=now,
        )  # fmt: skip
        moved[which] = {"transfer_id": transfer.pk}
    house.things["transfer"] = moved


def _shared_out(house: House) -> None:
    """One's own pot closed, its sharing published, an agreement waiting; the other's approved, its shares owed."""
    users, played, now = house.played.users, house.played, house.now
    periods = {"own": played.budget, "other": house.pot}
    found: dict[str, dict[str, Any]] = {one: {} for one in ("distribution", "arbitration", "share", "period", "budget")}
    for which, budget in periods.items():
        steward = users["sacha"] if which == "own" else house.basil
        period = budget.periods.filter(state="open").order_by("starts_on")[0]
        closed = close_period(actor=steward, period_id=period.pk, now=now)
        demo.sweep(now)
        published = Distribution.objects.get(pk=closed.pk)
        assert published.state == "published", published.state
        share = Share.objects.filter(distribution=published).order_by("amount")[0]
        agreed = propose_arbitration(
            actor=steward, distribution_id=published.pk, digest=published.digest, reason="agreed",
            amounts={(share.contributor_id, budget.pk): share.amount - 100}, form_key=f"agreed-{which}", now=now,
        )  # fmt: skip
        if which == "other":
            withdraw_arbitration(actor=steward, arbitration_id=agreed.pk, now=now)
            approve(actor=users["denis"], distribution_id=published.pk, digest=published.digest, now=now)
        else:
            raised = object_to_distribution(
                actor=users["bo"], distribution_id=published.pk, digest=published.digest, reason="Not so", now=now
            )
            house.things["doubt"] = {"own": {"distribution_id": published.pk, "objection_id": raised.pk}}
        found["distribution"][which] = {"distribution_id": published.pk}
        found["arbitration"][which] = {"arbitration_id": agreed.pk}
        found["period"][which] = {"period_id": budget.periods.filter(state="open").order_by("starts_on")[0].pk}
        found["budget"][which] = {"budget_id": budget.pk}
    first = Share.objects.filter(distribution=played.distribution)
    found["share"] = {
        "own": {"share_id": first.get(contributor=users["bo"]).pk},
        "foreign": {"share_id": first.get(contributor=users["camille"]).pk},
        "other": {"share_id": Share.objects.get(contributor=house.berta).pk},
    }
    versions = {which: {"budget_id": budget.pk, "version": 1} for which, budget in periods.items()}
    house.things |= {**found, "charter version": versions}


def _waiting(house: House) -> None:
    """What waits for a second person: opening balances, a batch, a month, a freeze, an invitation."""
    users, played, now = house.played.users, house.played, house.now
    second = add_bank_account(host=played.host, name="Livret", iban=OTHER_IBAN, currency="EUR")
    opening = propose_opening(
        actor=users["claire"], as_of=host_day(now) - timedelta(days=1), accounts={second.pk: 1_000_00}, budgets={},
        form_key="opening", now=now,
    )  # fmt: skip
    document_all(now)
    batch = prepare_batch(actor=users["claire"], account_id=played.account.pk, now=now)
    month = next_month()
    assert month is not None
    closing = ask_lock(actor=users["claire"], first_day=month, now=now)
    held = freeze(actor=users["claire"], cause="manual", reason="a doubt", now=now)
    invited = invite_person(
        actor=house.people["administrator"], who=Named("Ines Rose", "ines@example.org", "en"), kind="contributor",
        scope=played.budget.pk, now=now,
    )  # fmt: skip
    entry = statement(kind="budget", owner=played.budget.pk, currency="EUR").rows[0].entry
    house.things |= {
        "opening": {"own": {"opening_id": opening.pk}},
        "batch": {"own": {"batch_id": batch.pk}},
        "payout": {"own": {"payout_id": batch.payouts.get().pk}},
        "closing": {"own": {"closing_id": closing.pk}},
        "freeze": {"own": {"freeze_id": held.pk}},
        "invited": {"own": {"person_id": invited.pk}},
        "invitation": {"own": {"token": invitation_token(invited, now=now)}},
        "statement": {"own": {"statement_id": BankLine.objects.order_by("pk")[0].statement_id}},
        "bank line": {"own": {"line_id": BankLine.objects.filter(state="suggested").order_by("pk")[0].pk}},
        "purse": {"own": {"kind": "budget", "owner": played.budget.pk}},
        "entry": {"own": {"entry_id": entry}},
        "commons by id": {
            "own": {"commons_id": played.commons.pk}, "other": {"commons_id": house.sea.pk},
        },
        "purse by currency": {"own": {"kind": "budget", "owner": played.budget.pk, "currency": "EUR"}},
    }  # fmt: skip


def _tokens(house: House) -> None:
    """A token of each persona, with all scopes; and one of somebody else."""
    own = OwnOfEach(anonymous={})
    scopes = [scope for scope, _label in ApiToken.SCOPES]
    for persona, user in house.people.items():
        row, house.tokens[persona] = create_token(user=user, name="tests", scopes=scopes, now=house.now)
        own[persona] = {"token_id": row.pk}
    foreign, _text = create_token(user=house.berta, name="tests", scopes=scopes, now=house.now)
    own["anonymous"] = {"token_id": foreign.pk}
    house.things["token"] = {"own": own, "foreign": {"token_id": foreign.pk}}
