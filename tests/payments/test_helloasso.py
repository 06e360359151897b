"""An export of HelloAsso comes in as a whole and goes as a whole; nothing of it counts twice; the bank clears it."""

from collections.abc import Callable
from typing import Any

import pytest

from backend.banking.models import BankLine
from backend.core.errors import Conflict, Forbidden, Invalid
from backend.ledger.services import balance, entry_count
from backend.operations.selfcheck import check
from backend.payments.helloasso import import_export
from backend.payments.helloasso_file import cents, read_export
from backend.payments.helloasso_models import HelloAssoCampaign, HelloAssoImport, HelloAssoLine
from backend.payments.helloasso_plan import LEAVE_OUT, Choices, Plan, weigh
from backend.payments.helloasso_undo import hindrances, undo_import
from backend.payments.models import Movement, Payment, ProviderPayout
from backend.pledges.models import Donor, Pledge
from tests.payments.money import a_pledge, bank_says
from tests.payments.provider_money import faults

Play = Callable[..., Any]
HEADS = (
    "Référence commande;Référence du paiement;Campagne;Type;Montant total;Date du paiement;Statut du paiement;Versé;"
    "Date du versement;Nom payeur;Prénom payeur;Email payeur;Raison sociale;Commentaire"
)


def line(
    number: int, amount: str, *, campaign: str = "Dons", sort: str = "Don", state: str = "Validé", day: str = "",
    paid_on: str = "", name: str = "Durand", email: str = "", note: str = "",
) -> str:  # fmt: skip
    """One payment as an export writes it."""
    paid = "Oui" if paid_on else "Non"
    head = f"{9000 + number};{number};{campaign};{sort};{amount};{day};{state};{paid};{paid_on}"
    return f"{head};{name};Lise;{email};;{note}"


def export(world: Any, *lines: str, heads: str = HEADS, encoding: str = "utf-8-sig") -> bytes:
    """A file of these payments, today where they say no day."""
    text = "\r\n".join([heads, *lines]) + "\r\n"
    today = world.today.strftime("%d/%m/%Y")
    return text.replace(";;Validé", f";{today} 10:12:00;Validé").replace(";;Remb", f";{today};Remb").encode(encoding)


def chosen(world: Any, **more: str) -> Choices:
    """Gifts of the campaign are for the pot of the world."""
    return Choices(campaigns={"Dons": world.budget.pk, **more})


def take(world: Any, data: bytes, key: str = "k", choices: Choices | None = None) -> HelloAssoImport:
    """Claire imports a file."""
    return import_export(
        actor=world.users["claire"], data=data, choices=choices or chosen(world), file_name="paiements.csv",
        form_key=key, now=world.now,
    )  # fmt: skip


def plan_of(world: Any, data: bytes, choices: Choices | None = None) -> Plan:
    """What it would do."""
    return weigh(actor=world.users["claire"], data=data, choices=choices or chosen(world))


def holds(world: Any) -> dict[str, int]:
    """What the purses that it touches hold."""
    found = {
        "helloasso": balance(kind="clearing", owner="helloasso", currency="EUR"),
        "suspense": balance(kind="suspense", owner="helloasso", currency="EUR"),
        "fees": balance(kind="provider_fees", owner=world.host.pk, currency="EUR"),
        "budget": balance(kind="budget", owner=world.budget.pk, currency="EUR"),
        "host": balance(kind="host_fees", owner=world.host.pk, currency="EUR"),
        "bank": balance(kind="bank", owner=world.account.pk, currency="EUR"),
    }
    return {kind: amount for kind, amount in found.items() if amount}


def sound() -> list[str]:
    """What the self-check finds of what providers moved, and of receipts."""
    return [one.code for one in faults()]


def test_gifts_wait_at_helloasso_until_the_bank_shows_their_payout(play: Play) -> None:
    world = play("make_house")
    data = export(world, line(1, "100,00"), line(2, "50"))
    assert (plan_of(world, data).amount, len(plan_of(world, data).gifts)) == (150_00, 2)
    assert entry_count() == 0  # a preview books nothing
    made = take(world, data)
    assert holds(world) == {"helloasso": 150_00, "budget": 142_50, "host": 7_50}
    assert (made.rows, Payment.objects.count(), Donor.objects.get(pledges__received=100_00).name) == (
        2,
        2,
        "Lise Durand",
    )
    assert sound() == []
    paid = "31/12/2026"
    later = export(world, line(1, "100,00", paid_on=paid), line(2, "50,00", paid_on=paid), line(3, "10", paid_on=paid))
    assert [len(one) for one in (plan_of(world, later).told, plan_of(world, later).paid)] == [2, 1]
    take(world, later, "k2")
    payout = ProviderPayout.objects.get()
    assert (payout.remote_id, payout.amount, payout.state) == ("2026-12-31", 160_00, "sent")
    seen = bank_says(world, 1, 0, (160_00, "HELLOASSO SAS", "VIR HELLOASSO VERSEMENT"))
    assert (seen.state, seen.matched_to) == ("matched", payout.pk)
    assert holds(world) == {"bank": 160_00, "budget": 152_00, "host": 8_00}
    assert sound() == []


def test_the_same_file_and_an_overlapping_one_add_nothing(play: Play) -> None:
    world = play("make_house")
    first = export(world, line(1, "100,00"), line(2, "50"))
    made = take(world, first)
    assert take(world, first).pk == made.pk  # the button was pressed twice
    count = entry_count()
    with pytest.raises(Conflict) as refused:
        take(world, first, "again")
    assert refused.value.code == "helloasso_nothing_new"
    assert plan_of(world, first).known == [2, 3]
    take(world, export(world, line(2, "50,00"), line(3, "7,00")), "k2")
    assert entry_count() == count + 1
    assert (holds(world)["helloasso"], HelloAssoLine.objects.count()) == (157_00, 3)
    # A payment whose amount is another one is no payment that is known.
    wrong = plan_of(world, export(world, line(2, "51,00")))
    assert [number for number, _why in wrong.refused] == [2]
    assert sound() == []


def test_an_import_is_undone_as_a_whole_and_may_come_again(committed: str, play: Play) -> None:
    world = play("make_house")
    ana = a_pledge(world, 80_00, "k")
    data = export(
        world, line(1, "100,00", paid_on="30/11/2026"), line(2, "80,00", note=f"ref {ana.reference}"),
        line(3, "20,00", sort="Adhésion", paid_on="30/11/2026"),
    )  # fmt: skip
    made = take(world, data)
    ana.refresh_from_db()
    assert (ana.state, ana.received) == ("fulfilled", 80_00)
    assert holds(world)["suspense"] == 20_00
    before = holds(world)
    undo_import(actor=world.users["claire"], import_id=made.pk, reason="wrong budget", now=world.now)
    assert holds(world) == {}
    ana.refresh_from_db()
    assert (ana.state, ana.received, ana.expected) == ("active", 0, 80_00)
    assert set(Payment.objects.values_list("state", flat=True)) == {"undone"}
    assert not Movement.objects.filter(state="reported").exists()
    assert ProviderPayout.objects.get().state == "withdrawn"
    assert Pledge.objects.get(donor__isnull=False).state == "cancelled"
    assert [one.code for one in check(sealing=False)] == []
    take(world, data, "k2")
    assert holds(world) == before
    ana.refresh_from_db()
    assert (ana.state, ProviderPayout.objects.get().amount) == ("fulfilled", 120_00)
    assert [one.code for one in check(sealing=False)] == []


def test_what_the_bank_showed_or_was_shared_is_not_undone(play: Play) -> None:
    world = play("make_house")
    made = take(world, export(world, line(1, "100,00", paid_on="30/11/2026")))
    bank_says(world, 1, 0, (100_00, "HELLOASSO", "versement HELLOASSO 30/11"))
    before = holds(world)
    assert [str(one.why) for one in hindrances(made)] == [
        "the bank showed its payout 2026-11-30: take them apart first"
    ]
    with pytest.raises(Conflict) as refused:
        undo_import(actor=world.users["claire"], import_id=made.pk, reason="x", now=world.now)
    assert refused.value.code == "helloasso_import_used"
    with pytest.raises(Conflict) as grown:  # what the bank showed does not grow
        take(world, export(world, line(2, "5,00", paid_on="30/11/2026")), "k2")
    assert grown.value.code == "helloasso_payout_seen"
    assert (holds(world), HelloAssoImport.objects.count()) == (before, 1)


def test_a_refund_in_a_later_file_takes_the_payment_back_once(play: Play) -> None:
    world = play("make_house")
    take(world, export(world, line(1, "100,00"), line(2, "50,00")))
    back = export(world, line(1, "100,00", state="Remboursé"), line(2, "50,00"))
    made = take(world, back, "k2")
    assert holds(world) == {"helloasso": 50_00, "budget": 47_50, "host": 2_50}
    assert Payment.objects.get(amount=100_00).state == "refunded"
    assert plan_of(world, back).empty
    assert sound() == []
    undo_import(actor=world.users["claire"], import_id=made.pk, reason="an error", now=world.now)
    assert holds(world) == {"helloasso": 150_00, "budget": 142_50, "host": 7_50}
    take(world, back, "k3")
    assert holds(world) == {"helloasso": 50_00, "budget": 47_50, "host": 2_50}
    assert sound() == []


def test_one_line_that_is_not_understood_refuses_the_file(play: Play) -> None:
    world = play("make_house")
    data = export(world, line(1, "100,00"), line(2, "1.234"), line(3, "5,00", state="Bizarre"), line(1, "3,00"))
    assert [number for number, _why in plan_of(world, data).refused] == [3, 4, 5]
    with pytest.raises(Invalid) as refused:
        take(world, data)
    assert (refused.value.code, entry_count(), HelloAssoLine.objects.count()) == ("helloasso_refused", 0, 0)


def test_each_campaign_has_its_budget_which_is_remembered(play: Play) -> None:
    world = play("make_house")
    data = export(world, line(1, "10,00", campaign="Crowd"), line(2, "5,00", campaign="Loto"))
    with pytest.raises(Invalid) as refused:
        take(world, data)
    assert (refused.value.code, entry_count()) == ("helloasso_undecided", 0)
    take(world, data, choices=chosen(world, Crowd=world.budget.pk, Loto=LEAVE_OUT))
    assert dict(HelloAssoCampaign.objects.values_list("name", "budget")) == {"Crowd": world.budget.pk, "Loto": None}
    next_one = export(world, line(3, "11,00", campaign="Crowd"), line(4, "6,00", campaign="Loto"))
    plan = plan_of(world, next_one, Choices())
    assert (plan.undecided, plan.amount, plan.out_of_scope) == ([], 11_00, 6_00)


def test_a_payment_finds_its_pledge_by_name_and_amount_unless_the_person_says_no(play: Play) -> None:
    world = play("make_house")
    pledge = a_pledge(world, 80_00, "k")
    name = pledge.payer_name
    data = export(world, line(1, "80,00", name=name).replace(";Lise;", ";;"), line(2, "79,99", name=name))
    plan = plan_of(world, data)
    assert [(part.pledge, part.how) for part in plan.paid] == [(pledge, "name"), (None, "")]
    said = Choices(campaigns={"Dons": world.budget.pk}, payments={"1": "gift"})
    assert [part.pledge for part in plan_of(world, data, said).paid] == [None, None]
    # Two that may be meant are none.
    a_pledge(world, 80_00, "k2")
    assert [part.pledge for part in plan_of(world, data).paid] == [None, None]


def test_only_treasurers_import(play: Play) -> None:
    world = play("make_house")
    for who in ("ana", "sacha"):
        with pytest.raises(Forbidden):
            weigh(actor=world.users[who], data=export(world, line(1, "1,00")), choices=Choices())
    assert BankLine.objects.count() == 0


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [";", ",", "\t"])
def test_every_way_to_write_a_table_is_read(encoding: str, separator: str) -> None:
    rows = [["Référence du paiement", "Montant total", "Date du paiement", "Prénom payeur", "Campagne"],
            ["12", "1 234,50 €", "03/11/2026 09:15", "Zoé", 'Le "grand" soir, 1']]  # fmt: skip
    quoted = [['"' + cell.replace('"', '""') + '"' for cell in row] for row in rows]
    found = read_export("\n".join(separator.join(row) for row in quoted).encode(encoding))
    (row,) = found.rows
    assert (row.amount, row.day.isoformat(), row.name, row.campaign) == (
        123_450, "2026-11-03", "Zoé", 'Le "grand" soir, 1'
    )  # fmt: skip


def test_amounts_are_exact_or_refused() -> None:
    right = {"12": 1200, "12,5": 1250, "-5,00": -500, "1 234,56": 123456, "1.234,56": 123456, "0.10 €": 10}
    assert {text: cents(text) for text in right} == right
    assert [cents(text) for text in ("1.234", "1,234", "12,345", "abc", "", "1e3", "=1+1")] == [None] * 7
