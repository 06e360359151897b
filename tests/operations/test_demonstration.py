"""The large demonstration: exact figures, every screen with something on it, loading twice changes nothing."""

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connection
from django.db.models import Sum
from django.test import Client

from backend.banking.models import BankLine
from backend.banking.services import positions
from backend.commons.models import Budget, Commons
from backend.contributions.models import Contribution, RoundAnswer
from backend.distributions.models import Arbitration, Distribution, DistributionObjection, Share
from backend.documents.models import Document
from backend.events.models import Event
from backend.identity.models import Host, User
from backend.ledger.services import balance, entry_count, trial_balance
from backend.notifications.models import OutgoingMail
from backend.operations import demonstration, selfcheck
from backend.operations.demonstration import cast, movilab, others
from backend.payments.models import Deposit, Surplus
from backend.payouts.models import Payout, PayoutBatch
from backend.pledges.models import Pledge
from backend.transfers.models import Transfer
from tests import databases

NOW = datetime(2026, 11, 21, 15, 0, tzinfo=UTC)
ENVELOPES = {
    "Identité de Movilab": 2_000_00,
    "Formation à la documentation": 1_000_00,
    "Capsules et tutoriels": 2_000_00,
    "Équipe technique": 4_000_00,
    "Nouvelles fonctionnalités (pas lancé)": 3_000_00,
    "Movicamp": 2_000_00,
    "Productrices et producteurs de contenus": 2_000_00,
    "Anti-manuel": 1_000_00,
    "Machines": 1_000_00,
}


@pytest.fixture(scope="module")
def year(template: None, django_db_blocker: Any) -> Iterator[str]:
    """A database of this module's own that holds the demonstration as of one afternoon: loading it takes seconds."""
    name = f"tronc_year_{databases.RUN[:12]}_{os.environ.get('PYTEST_XDIST_WORKER', 'gw')}"
    databases.clone(name)
    with django_db_blocker.unblock():
        connection.close()
        before = connection.settings_dict["NAME"]
        connection.settings_dict["NAME"] = name
        assert demonstration.load(NOW) is True
        connection.close()
        connection.settings_dict["NAME"] = before
    yield name
    databases.drop(name)


@pytest.fixture
def loaded(year: str, django_db_blocker: Any) -> Iterator[None]:
    """The demonstration, for a test that adds nothing but sessions."""
    with django_db_blocker.unblock():
        connection.close()
        before = connection.settings_dict["NAME"]
        connection.settings_dict["NAME"] = year
        yield
        connection.close()
        connection.settings_dict["NAME"] = before


def held(budget: Budget, kind: str = "budget") -> int:
    """What a purse of a budget holds, in minor units."""
    return balance(kind=kind, owner=budget.pk, currency="EUR")


def test_it_holds_the_published_figures_and_balanced_books(loaded: None) -> None:
    movilab_root = Budget.objects.get(commons__slug="movilab", parent=None)
    given = Transfer.objects.filter(source=movilab_root, state="booked", kind="move")
    assert dict(given.values_list("target__name", "amount")) == ENVELOPES
    assert sum(ENVELOPES.values()) == sum(movilab.ALLOCATED.values()) == 18_000_00

    opteos = Distribution.objects.get(period__budget__commons__slug="opteos-budget-contributif")
    shares = opteos.shares.order_by("-asked").values_list("asked", "amount")
    assert opteos.pot == others.OPTEOS_POT == 10_000_00
    assert list(shares) == [
        (6_000_00, 4_000_00), (4_500_00, 3_000_00), (3_000_00, 2_000_00), (1_500_00, 1_000_00),
    ]  # fmt: skip
    assert (opteos.state, opteos.charter.rule) == ("booked", "claims_pro")

    sud = Distribution.objects.get(period__budget__commons__slug="sud-tiers-lieux-entretiens")
    assert sud.shares.count() == 8
    assert sud.shares.filter(amount=0).count() == 2
    assert sud.shares.aggregate(total=Sum("amount"))["total"] == 2_800_00

    assert entry_count() > 60
    assert sum(row.balance for row in trial_balance()) == 0
    (bank,) = positions()
    assert bank.gap == 0


def test_every_envelope_tells_its_own_story(loaded: None) -> None:
    envelopes = {budget.name: budget for budget in Budget.objects.filter(commons__slug="movilab").exclude(parent=None)}
    assert set(envelopes) == set(ENVELOPES)
    waiting = envelopes["Nouvelles fonctionnalités (pas lancé)"]
    assert (held(waiting), waiting.contributions.count()) == (3_000_00, 0)
    closed = envelopes["Formation à la documentation"]
    assert (closed.state, held(closed)) == ("closed", 0)
    back = Transfer.objects.get(kind="remainder")
    assert (back.source, back.amount, back.state) == (closed, 360_00, "booked")
    babel = Budget.objects.get(commons__slug="babelcoop", parent=None)
    assert (held(babel), held(babel, "deficit")) == (0, 400_00)
    assert Contribution.objects.filter(budget=babel, state="validated", amount=50_00).count() == 1
    assert held(Budget.objects.get(commons__slug="sud-tiers-lieux-entretiens", parent=None), "reserve") == 100_00
    rejected = Contribution.objects.get(state="rejected")
    assert rejected.reviews.get().reason != ""


def test_charters_changed_and_amounts_were_agreed(loaded: None) -> None:
    sud = Budget.objects.get(commons__slug="sud-tiers-lieux-entretiens", parent=None)
    assert [charter.version for charter in sud.charters.order_by("version")] == [1, 2]
    assert [period.charter.version for period in sud.periods.order_by("starts_on")] == [1, 2]
    printing = Budget.objects.get(parent=sud)
    assert (printing.charters.count(), held(printing)) == (0, 600_00)
    atlas = Distribution.objects.get(period__budget__commons__slug="cartolibre")
    # 95.00 received: a tenth to Movilab, a twentieth to the reserve, 80.75 for requests of 60 and 40.
    assert list(atlas.moves.order_by("kind").values_list("kind", "amount")) == [("reserve", 4_75), ("upstream", 9_50)]
    assert sorted(atlas.shares.values_list("amount", flat=True)) == [32_30, 48_45]
    assert held(Budget.objects.get(commons__slug="cartolibre"), "reserve") == 4_75
    agreed = Arbitration.objects.get(state="accepted")
    assert dict(agreed.distribution.shares.values_list("contributor__name", "amount")) == {
        "Camille Faure": 280_00, "Maïa Robert": 340_00,
    }  # fmt: skip
    waiting = Arbitration.objects.get(state="waiting")
    assert sorted(waiting.lines.values_list("person__name", "answer")) == [
        ("Camille Faure", "accepted"), ("Fatou Diallo", ""), ("Maïa Robert", ""),
    ]  # fmt: skip


def test_something_waits_for_everyone(loaded: None) -> None:
    assert Contribution.objects.filter(state="declared").count() >= 6
    published = Distribution.objects.filter(state="published")
    assert set(published.values_list("period__budget__name", flat=True)) == {"Capsules et tutoriels", "Machines"}
    assert {batch.state: batch.prepared_by.email for batch in PayoutBatch.objects.exclude(state="settled")} == {
        "approved": "claire@example.org", "prepared": "denis@example.org", "returned": "claire@example.org",
    }  # fmt: skip
    objected = DistributionObjection.objects.get(state="open")
    assert (objected.distribution.period.budget.name, objected.objector.email) == (
        "Capsules et tutoriels", "fatou@example.org",
    )  # fmt: skip
    back = Payout.objects.get(state="returned")
    assert (back.payee.user.email, list(back.shares.values_list("share__state", flat=True))) == (
        "bo@example.org", ["returned"],
    )  # fmt: skip
    assert Share.objects.filter(state="owed", distribution__state="booked", payee__iban_sealed="").exists()
    assert {"owed", "documented", "payable"} <= set(Share.objects.values_list("state", flat=True))
    assert sorted(BankLine.objects.filter(state="suggested").values_list("amount", flat=True)) == [
        -12_40, 42_50, 150_00,
    ]  # fmt: skip
    assert set(Transfer.objects.values_list("state", flat=True)) == {"booked", "proposed", "refused"}
    assert Pledge.objects.filter(state="active", received=0, created_at__lt=NOW.replace(month=6)).exists()
    assert Pledge.objects.filter(state="active", received__gt=0).exists()
    assert set(OutgoingMail.objects.values_list("state", flat=True)) <= {"sent", "due"}
    assert OutgoingMail.objects.filter(recipient="aoife@example.org", subject__startswith="Contribution").exists()
    assert Event.objects.latest("created_at").created_at <= NOW


def test_peers_talk_and_a_round_is_open(loaded: None) -> None:
    asked = Contribution.objects.get(questions__isnull=False)
    assert (asked.contributor.email, asked.questions.get().closed_at) == ("fatou@example.org", None)
    objected = Contribution.objects.get(objections__isnull=False)
    assert (objected.contributor.email, objected.objections.get().state) == ("bo@example.org", "open")
    draft = Contribution.objects.get(state="draft")
    assert (draft.contributor.email, draft.minutes, draft.budget.name) == ("bo@example.org", 90, "Cartolibre")
    states = RoundAnswer.objects.filter(round__closed_at=None).values_list("person__email", "state")
    assert {"lucas@example.org": "complete", "aoife@example.org": "missing"}.items() <= dict(states).items()
    assert set(dict(states).values()) == {"", "complete", "missing"}


def test_loading_twice_changes_nothing(loaded: None) -> None:
    before = (entry_count(), User.objects.count(), Event.objects.count(), OutgoingMail.objects.count())
    assert demonstration.load(NOW) is False
    out = StringIO()
    call_command("load_demo", stdout=out)
    assert before == (entry_count(), User.objects.count(), Event.objects.count(), OutgoingMail.objects.count())
    assert "claire@example.org      Claire Moreau, treasurer" in out.getvalue()


def test_an_instance_in_use_is_left_alone(play: Callable[..., Any]) -> None:
    world = play("make_house")
    assert demonstration.load(NOW) is False
    assert (Host.objects.get(), Commons.objects.count()) == (world.host, 1)


@pytest.mark.django_db
def test_it_can_be_loaded_on_the_first_minutes_of_a_year() -> None:
    now = datetime(2027, 12, 31, 23, 5, tzinfo=UTC)  # already the first of January in Paris
    demonstration.load(now)
    assert sum(row.balance for row in trial_balance()) == 0
    assert Event.objects.latest("created_at").created_at <= now
    assert Share.objects.filter(distribution__period__budget__commons__slug="opteos-budget-contributif").count() == 4


def test_each_role_finds_its_pages_full(loaded: None, settings: Any) -> None:
    settings.DEMO = True
    expected = {
        "claire": {"treasury/": "Capsules et tutoriels", "payouts/": "Denis Caron", "bank/": "D. MARCHAND"},
        "odile": {"ledger/": "6226", "bank/": "D. MARCHAND"},
        "elodie": {"reviews/": "Gabarit d’affiche pour les lieux", "periods/": "Machines"},
        "bo": {"work/": "Correctif d’export"},
        "paul": {"organisations/": "Région des Estuaires"},
    }
    for key, pages in expected.items():
        browser = Client()
        person = User.objects.get(email=cast.address(key))
        assert browser.post("/en/demo/", {"person": person.pk}).status_code == 302
        for page, words in pages.items():
            answer = browser.get(f"/en/{page}", follow=True)
            assert answer.status_code == 200
            assert words in answer.content.decode(), (key, page)


def test_supporters_renew_give_pay_by_cheque_and_twice(loaded: None) -> None:
    renewed = Pledge.objects.filter(state="active").exclude(rhythm="once")
    assert set(renewed.values_list("rhythm", flat=True)) == {"monthly", "quarterly", "yearly"}
    assert set(renewed.values_list("visibility", flat=True)) == {"visible", "anonymous"}
    gifts = Pledge.objects.filter(donor__isnull=False).order_by("created_at")
    assert [(gift.payer_name, gift.received > 0) for gift in gifts] == [
        ("Gaëlle Prigent", True), ("Erwan Kerdoncuff", False),
    ]  # fmt: skip
    assert list(Surplus.objects.values_list("amount", "state")) == [(10_00, "waiting")]
    assert list(Deposit.objects.values_list("total", "state")) == [(180_00, "prepared")]
    papers = Document.objects.exclude(kind="call").order_by("issued_at", "label").values_list("kind", "total")
    assert list(papers) == [("invoice", 1_200_00), ("invoice", 1_200_00), ("credit_note", 1_200_00)]
    assert selfcheck.check() == []
