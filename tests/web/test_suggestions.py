"""What is proposed for a credit that nobody can name: an account seen before, an instalment, a whole act."""

from collections.abc import Callable
from typing import Any

from backend.banking.models import BankLine
from backend.commons.services import open_envelope
from backend.core import crypto
from backend.ledger.services import entry_count
from backend.payments.models import Payment
from backend.pledges.services import Terms
from backend.web.suggestions import suggest
from tests.payments.money import IBAN, a_pledge, bank_says, two_pledges

Play = Callable[..., Any]


def told(line: BankLine, pledge: Any) -> list[tuple[str, str]]:
    """The reasons of one pledge."""
    return [(one.sign, one.text) for one in suggest(line, [pledge])[0].reasons]


def test_an_account_that_paid_before_is_known_again(play: Play) -> None:
    world = play("make_promise")
    from backend.banking.services import import_statement
    from backend.operations import demo

    data = demo.statement_file(
        world, number=1, opening=0, lines=[(100_00, "GRP X", world.pledge.reference, ""), (30_00, "GRP X", "don", "")]
    )
    # The account of who paid stands in the file.
    account = f"<DbtrAcct><Id><IBAN>{IBAN}</IBAN></Id></DbtrAcct>".encode()
    assert data.count(b"</Dbtr>") == 2
    import_statement(
        actor=world.users["claire"], data=data.replace(b"</Dbtr>", b"</Dbtr>" + account), accept_gap=False,
        now=world.now,
    )  # fmt: skip
    demo.sweep(world.now)
    line = BankLine.objects.get(state="suggested")
    assert line.counterparty_index == crypto.equality_index(IBAN)
    assert Payment.objects.get().payer_index == line.counterparty_index
    assert IBAN not in str(list(BankLine.objects.values()))
    mine = a_pledge(world, 99_00, "mine")
    booked = entry_count()
    assert ("✓", "account already seen for this payer") in told(line, mine)
    line.counterparty_index = crypto.equality_index("FR7630006000011234567890189")
    assert ("✗", "account never seen before") in told(line, mine)
    line.counterparty_index = ""
    assert len(told(line, mine)) == 3  # the bank does not show the account: nothing is said of it
    assert entry_count() == booked  # a suggestion books nothing
    assert BankLine.objects.get(state="suggested").matched_to == ""


def test_the_amount_is_held_against_an_instalment_and_against_all_of_one_act(play: Play) -> None:
    world = play("make_house")
    envelope = open_envelope(
        actor=world.users["sacha"], parent=world.budget, name="Docs", own_rules=False, now=world.now
    )
    monthly = a_pledge(world, 25_00, "monthly", Terms(rhythm="monthly"))
    both = two_pledges(world, envelope, (30_00, 60_00))
    line = bank_says(world, 1, 0, (90_00, "X", "don"))
    assert told(line, both[0])[0] == ("✓", "same amount as expected")
    assert told(line, both[1])[0] == ("✓", "same amount as expected")
    assert told(line, monthly)[0][0] == "✗"
    line.amount = 60_00
    assert told(line, both[1])[0] == ("✓", "same amount as its next instalment")
    line.amount = 10_00
    assert told(line, both[0])[0] == ("≈", "less than the €90.00 expected")
