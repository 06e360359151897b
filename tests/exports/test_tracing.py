"""Each euro is followed from its payment to the work it paid: both sums tie, to the cent, whatever happened."""

import csv
import io
import random
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from backend.commons.models import Budget
from backend.contributions.models import Contribution
from backend.distributions.models import Share, SharePart
from backend.distributions.services import waive_share
from backend.exports.tracing import KINDS, Traced, _less, _proportion, follow, together
from backend.identity.services import host_day
from backend.ledger.services import balance
from backend.payments.models import Payment
from backend.payments.services import take_back
from backend.transfers.services import decide_transfer, propose_transfer
from tests.distributions.pots import Pots
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def tied(budgets: list[Budget]) -> Traced:
    """Follow the money of these budgets, and check that both sums tie, and that purses hold what the ledger says."""
    traced = follow([one.pk for one in budgets], "EUR")
    paid: dict[str, int] = defaultdict(int)
    spent: dict[str, int] = defaultdict(int)
    for row in traced.spent:
        paid[row.target] += row.amount
        spent[row.source] += row.amount
    left: dict[str, int] = defaultdict(int)
    for held in traced.left.values():
        for source, cents in held.items():
            assert cents > 0
            left[source] += cents
    for source, cents in traced.brought.items():
        assert cents == spent[source] + left[source] + traced.gone[source], source
    owners = together([one.pk for one in budgets])
    for kind in KINDS:
        for owner in owners:
            whole = sum(traced.left.get((kind, owner), {}).values())
            assert whole == balance(kind=kind, owner=owner, currency="EUR"), (kind, owner)
    for share in Share.objects.filter(distribution__state="booked", distribution__period__budget__in=owners):
        work = Contribution.objects.filter(period=share.distribution.period_id, contributor=share.contributor_id)
        assert sum(paid[one.pk] for one in work) + paid[share.pk] == share.due
        if not share.waived:
            assert all(paid[one.pk] == one.settled_amount for one in work.filter(state="settled"))
    return traced


@given(
    st.lists(st.integers(0, 10**6), min_size=1, max_size=12), st.integers(0, 10**7), st.randoms(use_true_random=False)
)
def test_nobody_gives_more_than_they_hold_and_all_of_it_goes(
    held: list[int], amount: int, chance: random.Random
) -> None:
    rows = [(f"pay_{number}", cents) for number, cents in enumerate(held)]
    left, given_in_all = rows, 0
    most = min(amount, sum(held))
    while given_in_all < most:
        part = chance.randint(1, most - given_in_all)
        given = _proportion(part, left, seed=str(given_in_all))
        holds = dict(left)
        assert all(0 <= cents <= holds[one] for one, cents in given)
        assert sum(cents for _one, cents in given) == part
        left = _less(left, dict(given))
        given_in_all += part
    assert sum(cents for _one, cents in left) == sum(held) - most
    assert _proportion(0, rows, seed="x") == []


def test_two_payments_pay_two_pieces_of_work_in_proportion(play: Play) -> None:
    pots = Pots(play("make_house"))
    pot = pots.pot("Appli", "ana", "bo")
    pots.fund(pot, 300_00)
    pots.fund(pot, 100_00)
    pots.work(pot, "ana", 200_00)
    pots.work(pot, "bo", 1)
    pots.approve(pots.close(pot))
    traced = tied([pot])
    first, second = Payment.objects.order_by("pk")
    brought = {key: traced.brought[key] for key in (first.pk, second.pk)}
    assert brought[first.pk] == 3 * brought[second.pk]
    work = {one.contributor.pk: one.pk for one in Contribution.objects.select_related("contributor")}
    cells = {(row.source, row.target): row.amount for row in traced.spent}
    assert cells[first.pk, work[pots.person("ana").pk]] == 150_00
    assert cells[second.pk, work[pots.person("ana").pk]] == 50_00
    assert sum(row.amount for row in traced.spent if row.target == work[pots.person("bo").pk]) == 1


def test_money_keeps_its_payment_through_transfers_reserves_envelopes_and_projects_upstream(play: Play) -> None:
    pots = Pots(play("make_house"))
    library = pots.pot("Biblio", "cy", reserve={"bp": 1000, "target": None})
    application = pots.pot(
        "Appli", "ana", "bo", upstream=[{"to": library.pk, "bp": 1000}], reserve={"bp": 500, "target": 40_00},
        earmarks={"weights": "add", "leftover": "release"}, unpaid={"carry_periods": 1},
    )  # fmt: skip
    inside = pots.envelope(application, "Ticket")
    pots.fund(application, 1_000_00)
    pots.fund(application, 333_33)
    pots.fund(inside, 300_00)
    pots.work(inside, "ana", 200_00)
    pots.work(application, "bo", 2_000_00)
    pots.work(application, "ana", 77_77)
    pots.approve(pots.close(application))
    tied([application])
    pots.work(library, "cy", 50_00)
    pots.approve(pots.close(library))
    traced = tied([library])
    everywhere = {source for row in traced.spent for source in [row.source] if row.budget == library.pk}
    payments = set(Payment.objects.filter(pledge__budget=application).values_list("pk", flat=True))
    assert everywhere & payments  # money promised to one project paid work of another that it depends on
    pots.fund(library, 5_00)
    moved = propose_transfer(
        actor=pots.person("claire"), kind="move", source=library, target=application, amount=1_00, reason="aide",
        form_key="m", now=pots.now,
    )  # fmt: skip
    if moved.state == "proposed":
        decide_transfer(actor=pots.person("denis"), transfer_id=moved.pk, accept=True, now=pots.now)
    tied([library])


def test_what_was_given_back_or_taken_back_leaves_its_own_payment_first(play: Play) -> None:
    pots = Pots(play("make_house"))
    pot = pots.pot("Appli", "ana")
    pots.fund(pot, 100_00)
    pots.fund(pot, 100_00)
    pots.work(pot, "ana", 60_00)
    distribution = pots.close(pot)
    pots.approve(distribution)
    share = Share.objects.get(distribution=distribution)
    assert {row.amount for row in tied([pot]).spent} == {30_00}
    waive_share(actor=pots.person("ana"), share_id=share.pk, amount=20_01, form_key="w", now=pots.now)
    traced = tied([pot])
    first, second = Payment.objects.order_by("pk")
    back = [row.amount for row in traced.spent if row.amount < 0]
    assert sorted(back) == [-10_01, -10_00]
    account = pots.world.account.pk
    take_back(
        payment=first, amount=first.amount, source="line:x", purse=("bank", account), taken_on=host_day(pots.now),
        actor=None, now=pots.now,
    )  # fmt: skip
    traced = tied([pot])
    assert traced.gone[first.pk] > traced.gone[second.pk] > 0
    assert not traced.left_of(first.pk)


def test_the_page_and_the_files_tell_it_to_whom_it_concerns(play: Play, sign_in: SignIn, committed: str) -> None:
    world = play("approve_distribution")
    payment = Payment.objects.get()
    pledge = payment.pledge
    page = f"/en/pledges/{pledge.pk}/money/"
    ana = sign_in(world.users["ana"])
    told = text_of(ana.get(page))
    assert "Shared for work €95.00" in told
    assert "€57.00" in told
    rows = list(csv.DictReader(io.StringIO(ana.get(f"/en/pledges/{pledge.pk}/money.csv").content.decode("utf-8-sig"))))
    assert sum(round(float(row["amount"]) * 100) for row in rows) == 100_00
    assert [row["amount"] for row in rows if row["what"] == "fee"] == ["5.00"]
    assert {row["what"] for row in rows} == {"fee", "shared"}
    french = ana.get(f"/fr/pledges/{pledge.pk}/money.csv").content.decode("utf-8-sig").splitlines()
    assert french[0].startswith("paiement,recu_le,")
    assert ",frais," in french[1]
    assert sign_in(world.users["bo"]).get(page).status_code == 404
    slug = pledge.budget.commons.slug
    assert ana.get(f"/en/commons/{slug}/money.csv").status_code == 403
    whole = sign_in(world.users["claire"]).get(f"/en/commons/{slug}/money.csv").content.decode("utf-8-sig")
    assert sign_in(world.users["sacha"]).get(f"/en/commons/{slug}/money.csv").content.decode("utf-8-sig") == whole
    by_work: dict[str, int] = defaultdict(int)
    for row in csv.DictReader(io.StringIO(whole)):
        if row["what"] == "fee":
            continue
        by_work[row["id"]] += round(float(row["amount"]) * 100)
    assert by_work == dict(Contribution.objects.filter(state="settled").values_list("pk", "settled_amount"))
    assert SharePart.objects.exists()
