"""Precision and recall of what is called exact, over five hundred labelled lines with traps."""

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from backend.banking.accepting import accept_exact, exact_ones
from backend.banking.models import BankLine
from backend.banking.rules import confirm_rule
from backend.banking.splitting import book_to
from backend.payments.models import Payment
from tests.banking.labelled import Labelled, brought, make
from tests.payments.money import sound

Play = Callable[..., Any]
RECALL = 0.90


@pytest.mark.timeout(900)
def test_what_is_exact_is_right_and_most_is_found(play: Play, committed: str) -> None:
    world = play("make_promise")
    claire = world.users["claire"]
    labels = make(world)
    # A treasurer booked such a charge once, and confirmed the rule.
    brought(world, [Labelled("charge", -2_00, "BANQUE DU PORT", "FRAIS TENUE DE COMPTE 0")], number=2)
    learnt = BankLine.objects.latest("pk")
    book_to(actor=claire, line_id=learnt.pk, number="627", now=world.now)
    confirm_rule(actor=claire, line_id=learnt.pk, now=world.now)
    brought(world, labels, number=3)
    lines = list(BankLine.objects.order_by("pk"))[-500:]
    pairs = list(zip(lines, labels, strict=True))
    assert all((line.amount, line.counterparty) == (label.amount, label.name) for line, label in pairs)

    payments = {one.source: f"pledge:{one.pledge_id}" for one in Payment.objects.all()}
    exact = {line.pk: best.key for line, best in exact_ones(claire)}
    by_sweep = {line.pk: payments[line.source] for line, _label in pairs if line.state == "matched"}
    said = exact | by_sweep
    wrong = [(label.sort, label.text, said[line.pk]) for line, label in pairs
             if line.pk in said and said[line.pk] != label.truth]  # fmt: skip
    wrong += [(label.sort, label.text, "of another amount") for line, label in pairs
              if line.pk in said and not label.matchable]  # fmt: skip
    right = [label.sort for line, label in pairs if label.matchable and said.get(line.pk) == label.truth]
    matchable = Counter(label.sort for label in labels if label.matchable)
    precision = 1 - len(wrong) / len(said)
    recall = len(right) / sum(matchable.values())
    waiting = len(right) - sum(line.pk in by_sweep for line, _label in pairs)
    print(
        f"\n500 lines, {sum(matchable.values())} matchable: {len(by_sweep)} matched by their reference, {len(exact)} "
        f"proposed as exact. Precision {precision:.1%}, recall {recall:.1%}, of those that wait "
        f"{waiting / (sum(matchable.values()) - matchable['reference']):.1%}. Found {dict(Counter(right))}."
    )
    assert not wrong
    assert recall >= RECALL
    assert waiting >= RECALL * (sum(matchable.values()) - matchable["reference"])

    told = accept_exact(actor=claire, chosen=exact.items(), now=world.now)
    assert (len(told.booked), told.left) == (len(exact), [])
    truths = {line.source: label for line, label in pairs}
    booked = Payment.objects.filter(source__in=truths)
    assert all(truths[one.source].truth == f"pledge:{one.pledge_id}" for one in booked)
    assert all(truths[one.source].amount == one.amount for one in booked)
    assert sound(world)
