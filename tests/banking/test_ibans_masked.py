"""What a bank's text says of accounts is kept masked; what only looks like an account is left alone."""

from typing import Any

import pytest

from backend.banking.models import BankLine
from backend.banking.services import import_statement
from backend.operations.demo import statement_file
from backend.payees.services import mask_within

FRENCH, GERMAN = "FR7630006000011234567890189", "DE89370400440532013000"


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"VIR DE {FRENCH} MERCI", "VIR DE FR76 •••• 0189 MERCI"),
        ("VIR FR76 3000 6000 0112 3456 7890 189 MERCI 12", "VIR FR76 •••• 0189 MERCI 12"),
        (f"{GERMAN.lower()}, {FRENCH}.", "DE89 •••• 3000, FR76 •••• 0189."),
        ("VIR BE68 5390 0754 7034 d’une banque inconnue", "VIR BE68 •••• 7034 d’une banque inconnue"),
        ("RF18 5390 0754 7034", "RF18 5390 0754 7034"),
        ("FR7630006000011234567890188", "FR7630006000011234567890188"),
        ("FR76", "FR76"),
        ("", ""),
    ],
)
def test_valid_ibans_are_masked(text: str, kept: str) -> None:
    assert mask_within(text) == kept


def test_a_statement_keeps_no_account_of_a_payer(play: Any) -> None:
    world = play("make_house")
    data = statement_file(
        world, number=1, opening=0, lines=[(10_00, f"MARTIN {GERMAN}", f"don du compte {FRENCH}", FRENCH)]
    )
    import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)
    line = BankLine.objects.get()
    assert (line.counterparty, line.text) == ("MARTIN DE89 •••• 3000", "don du compte FR76 •••• 0189")
    assert line.references["end_to_end_id"] == "FR76 •••• 0189"
    # The same file again is still known: what makes a line itself is what the bank wrote.
    assert import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)
    assert BankLine.objects.count() == 1
