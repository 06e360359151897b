"""What a payment provider moves, in every format: the tax office's file is sound, and all of them add up the same."""

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

from accounting_fr.fec_check import check_fec

from backend.exports.services import export
from backend.ledger.services import seal_due, unsealed
from tests.exports import readers
from tests.exports.test_export import NOW, expected, totals, whole
from tests.payments.money import a_pledge, bank_says
from tests.payments.provider_money import away, facts, home, pay, tell

Play = Callable[..., Any]


def test_a_providers_movements_in_every_format(play: Play, tmp_path: Path) -> None:
    world = play("make_house", now=NOW)
    world.budget.bears_provider_fees = True
    world.budget.save()
    pay(world, a_pledge(world, 100_00, "k"), 120_00, fee=1_80)
    away(world, "dispute", 120_00, of="dp_1", fee=15_00)
    home(world, "dispute_reversal", 120_00, "dp_1", fee=-15_00)
    away(world, "refund", 30_00, of="re_1")
    tell(world, facts(world, "fee", -2_00))
    tell(world, facts(world, "charge", 7_00, charge="ch_x"))
    tell(world, facts(world, "payout", -40_00, of="po_1"))
    bank_says(world, 1, 0, (40_00, "PRESTATAIRE", "po_1"))
    while seal_due(world.now):
        pass
    assert unsealed() == 0
    wanted = expected()
    # 118.20 came, 30.00 went back, 2.00 of fees, 7.00 unexplained, 40.00 are at the bank: 53.20 are on their way there.
    assert wanted["5112", "EUR"] == Decimal("53.20")
    assert (wanted["512", "EUR"], wanted["627", "EUR"]) == (Decimal("40.00"), Decimal("3.80"))
    assert wanted["471", "EUR"] == Decimal("-7.00")
    assert totals(world, tmp_path) == [wanted] * 4
    name, data = export(actor=world.users["denis"], name="fec", now=world.now, year=2026)
    content = b"".join(data)
    report = check_fec(content, name, date(2026, 1, 1), date(2026, 12, 31))
    assert (report.errors, report.warnings) == ([], [])
    assert readers.of_fec(content) == wanted
    said = whole(world, "fec_utf8", year=2026).decode()
    for words in (
        "Versement revenu (litige gagné, remboursement échoué)", "Frais du prestataire de paiement",
        "Mouvement du prestataire à expliquer", "Versement du prestataire vu sur le relevé",
    ):  # fmt: skip
        assert words in said
