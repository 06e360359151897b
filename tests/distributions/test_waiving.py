"""What somebody gives back of a booked share returns to where it came from, once, before a batch takes it."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from backend.commons.models import Budget
from backend.core.errors import DomainError, NotFound
from backend.distributions.models import Distribution, Share, ShareWaiver
from backend.distributions.services import waive_share
from backend.ledger.services import balance, entry_count
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import selfcheck
from backend.payees.services import set_account
from backend.payouts.models import PayoutBatch
from backend.payouts.services import prepare_batch
from tests.concurrency import at_once
from tests.distributions.pots import Pots, held
from tests.operations.test_selfcheck import plant
from tests.papers import document

IBAN = "FR7630006000011234567890189"


def gives(pots: Pots, share: Share, amount: int | None = None, *, by: str = "ana", key: str = "k") -> ShareWaiver:
    return waive_share(
        actor=pots.person(by), share_id=share.pk, amount=amount, form_key=key, now=pots.now
    )  # fmt: skip


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(DomainError) as refusal:
        act()
    return refusal.value.code


def owed(share: Share) -> int:
    """What the ledger says that the payee is owed."""
    return balance(kind="payee", owner=share.payee_id, currency="EUR")


@pytest.fixture
def shared(pots: Pots) -> tuple[Budget, Budget, Distribution]:
    """ana gets 20 of the pot and 10 of an envelope, bo 80 of the pot."""
    budget = pots.pot("Don", "ana", "bo")
    envelope = pots.envelope(budget, "Traduction")
    pots.fund(budget, 100_00)
    pots.fund(envelope, 10_00)
    pots.work(budget, "ana", 20_00)
    pots.work(envelope, "ana", 10_00)
    pots.work(budget, "bo", 80_00)
    made = pots.close(budget)
    assert pots.parts(made) == {("ana", "Don"): 20_00, ("ana", "Traduction"): 10_00, ("bo", "Don"): 80_00}
    return budget, envelope, made


def test_parts_go_back_pro_rata_and_every_cent_is_there(
    pots: Pots, shared: tuple[Budget, Budget, Distribution]
) -> None:
    budget, envelope, made = shared
    share = made.shares.get(contributor=pots.person("ana"))
    assert code_of(lambda: gives(pots, share)) == "share_not_waivable"  # not approved yet
    pots.approve(made)
    assert (held(budget), held(envelope), owed(share)) == (0, 0, 30_00)
    gives(pots, share, 10_00)
    share.refresh_from_db()
    # 10.00 × 20/30 = 6.66⅔ and 3.33⅓: the largest remainder takes the cent.
    assert (held(budget), held(envelope), owed(share)) == (6_67, 3_33, 20_00)
    assert (share.amount, share.waived, share.due, share.state) == (30_00, 10_00, 20_00, "owed")
    gives(pots, share, 1, key="cent")
    gives(pots, share, None, key="rest")
    share.refresh_from_db()
    assert (held(budget), held(envelope), owed(share)) == (20_00, 10_00, 0)
    assert (share.waived, share.state) == (30_00, "waived")
    assert code_of(lambda: gives(pots, share, key="again")) == "share_not_waivable"
    compose_due(pots.now)
    told = OutgoingMail.objects.filter(event__kind="distribution.share_waived").values_list("recipient", flat=True)
    assert set(told) == {pots.person(name).email for name in ("ana", "sacha")}


def test_refused_and_nothing_changed(pots: Pots, shared: tuple[Budget, Budget, Distribution]) -> None:
    budget, _envelope, made = shared
    pots.approve(made)
    share, before = made.shares.get(contributor=pots.person("ana")), entry_count()
    for act, code in (
        (lambda: gives(pots, share, by="bo"), "share_of_another"),
        (lambda: gives(pots, share, by="claire"), "share_of_another"),
        (lambda: gives(pots, share, 30_01), "waived_more_than_due"),
        (lambda: gives(pots, share, 0), "amount_out_of_range"),
        (lambda: gives(pots, share, -1), "amount_out_of_range"),
    ):
        assert code_of(act) == code
    with pytest.raises(NotFound):
        gives(pots, share, by="stranger")
    Budget.objects.filter(pk=budget.pk).update(state="closed")
    assert code_of(lambda: gives(pots, share)) == "budget_over"
    share.refresh_from_db()
    assert (share.waived, share.state, entry_count(), ShareWaiver.objects.count()) == (0, "owed", before, 0)


@pytest.mark.parametrize("state", ["documented", "payable"])
def test_its_document_falls(pots: Pots, shared: tuple[Budget, Budget, Distribution], state: str) -> None:
    pots.approve(shared[2])
    share = shared[2].shares.get(contributor=pots.person("ana"))
    if state == "payable":
        document(share, now=pots.now)
    else:
        Share.objects.filter(pk=share.pk).update(state=state)
    gives(pots, share, 5_00)
    share.refresh_from_db()
    assert (share.state, share.due) == ("owed", 25_00)


def test_twice_is_once(pots: Pots, shared: tuple[Budget, Budget, Distribution]) -> None:
    pots.approve(shared[2])
    share = shared[2].shares.get(contributor=pots.person("ana"))
    assert gives(pots, share, 5_00).pk == gives(pots, share, 5_00).pk
    assert code_of(lambda: gives(pots, share, 6_00)) == "form_key_reused"
    share.refresh_from_db()
    assert (share.waived, owed(share)) == (5_00, 25_00)


def test_the_database_wants_a_waiver_behind_it(pots: Pots, shared: tuple[Budget, Budget, Distribution]) -> None:
    pots.approve(shared[2])
    share = shared[2].shares.get(contributor=pots.person("ana"))
    with pytest.raises(IntegrityError, match="waivers add up"), transaction.atomic():
        Share.objects.filter(pk=share.pk).update(waived=1)
        with transaction.get_connection().cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_forged_part_is_found(committed: str, play: Callable[..., Any]) -> None:
    pots = Pots(play("make_house"))
    budget = pots.pot("Don", "ana")
    pots.fund(budget, 100_00)
    pots.work(budget, "ana", 20_00)
    waiver = gives(pots, pots.approve(pots.close(budget)).shares.get(), 10_00)
    assert selfcheck.check(sealing=False) == []
    elsewhere = pots.pot("Ailleurs").pk
    plant(
        committed,
        "INSERT INTO distributions_sharewaiverpart (waiver_id, budget_id, amount)"
        f" VALUES ('{waiver.pk}', '{elsewhere}', 1)",
    )
    assert {one.code for one in selfcheck.check(sealing=False)} == {"I1.pot", "I1.kind", "I1.waived", "I1.global"}


def test_a_waiver_and_a_batch_at_once_pay_each_cent_once(committed: None, play: Callable[..., Any]) -> None:
    pots = Pots(play("make_house"))
    budget = pots.pot("Course", "ana")
    set_account(actor=pots.person("ana"), name="Ana", iban=IBAN, now=pots.now - timedelta(days=4))
    for number in range(3):
        pots.fund(budget, 100_00)
        pots.work(budget, "ana", 100_00)
        made = pots.approve(pots.close(budget))
        share = made.shares.get()
        document(share, now=pots.now)

        def act(turn: int, share: Share = share, number: int = number) -> str:
            if turn % 2:
                return str(gives(pots, share, 40_00, key=f"k{number}").amount)
            batch = prepare_batch(actor=pots.person("claire"), account_id=pots.world.account.pk, now=pots.now)
            return f"batch {batch.total}"

        outcome = at_once(act, times=4)
        share.refresh_from_db()
        batches = [one for one in outcome if one.startswith("batch")]
        if share.waived:  # its document fell: nothing is paid before another one is there
            assert (batches, outcome.count("4000"), share.state) == ([], 2, "owed")
            document(share, now=pots.now)
            batch = prepare_batch(actor=pots.person("claire"), account_id=pots.world.account.pk, now=pots.now)
            assert batch.total == 60_00
        else:
            assert (batches, outcome.count("share_not_waivable")) == (["batch 10000"], 2)
            assert share.state == "batched"
        assert PayoutBatch.objects.latest("prepared_at").total == share.due
        pots.pass_days(1)
    assert {one.code for one in selfcheck.check(sealing=False)} == set()
