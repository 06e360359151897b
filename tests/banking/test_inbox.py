"""The inbox of bank lines: proposals are accepted, lines split, booked, marked as told twice, and all of it undone."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from backend.banking.accepting import accept, accept_exact, exact_ones
from backend.banking.models import BankLine, LinePart, MatchingRule
from backend.banking.proposing import propose
from backend.banking.rules import confirm_rule, offered, switch_off
from backend.banking.services import identify, import_statement
from backend.banking.splitting import Part, book_to, split_line
from backend.banking.unmatching import mark_duplicate, undo_match
from backend.core.errors import Conflict, Forbidden, Invalid, NotFound
from backend.events.models import Event
from backend.ledger.services import ask_lock, balance, entry_count, lock
from backend.operations import demo
from backend.payments.models import Payment, Surplus
from tests.concurrency import at_once
from tests.payments.money import sound
from tests.web.test_bank import another_pledge
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
INBOX = "/en/bank/inbox/"


def bring(world: Any, *lines: tuple[int, str, str]) -> list[BankLine]:
    """Import lines (cents, name, text) of one statement, sweep; the lines in their order."""
    number = BankLine.objects.values("statement").distinct().count() + 1
    data = demo.statement_file(world, number=number, opening=0, lines=[(*one, "") for one in lines])
    import_statement(actor=world.users["claire"], data=data, accept_gap=True, now=world.now)
    demo.sweep(world.now)
    world.now += timedelta(minutes=1)
    return list(BankLine.objects.order_by("pk"))[-len(lines) :]


def books(world: Any) -> dict[str, int]:
    """Cents of each purse that these acts move."""
    account, host = world.account.pk, world.host.pk
    owners = {"bank": account, "suspense": account, "budget": world.budget.pk, "host_fees": host}
    return {kind: balance(kind=kind, owner=owner, currency="EUR") for kind, owner in owners.items()}


def by(world: Any, who: str = "claire") -> dict[str, Any]:
    """Who acts, and when."""
    return {"actor": world.users[who], "now": world.now}


def test_an_exact_proposal_is_accepted_once_and_undone(play: Play, committed: str) -> None:
    world = play("make_promise")
    pledge = another_pledge(world)
    (line,) = bring(world, (42_50, "ASSO LE GRAND TOIT", "soutien"))
    best = propose(world.users["claire"], [line]).best(line)
    assert best is not None
    assert (best.exact, best.key) == (True, f"pledge:{pledge.pk}")
    assert [one.sign for one in best.reasons] == ["✓", "✓"]
    waiting, before = books(world), entry_count()
    with pytest.raises(Forbidden):
        accept(line_id=line.pk, key=best.key, **by(world, "ana"))
    for _twice in range(2):
        line = accept(line_id=line.pk, key=best.key, **by(world))
    assert (line.state, entry_count(), Payment.objects.count()) == ("matched", before + 1, 1)
    assert (books(world)["suspense"], books(world)["bank"]) == (0, 42_50)
    pledge.refresh_from_db()
    assert (pledge.received, pledge.expected) == (42_50, 0)
    for _twice in range(2):
        line = undo_match(line_id=line.pk, reason="it was another", **by(world))
    assert (line.state, line.turn, books(world), entry_count()) == ("suggested", 1, waiting, before + 2)
    pledge.refresh_from_db()
    assert (pledge.received, pledge.expected, pledge.state) == (0, 42_50, "active")
    assert Event.objects.filter(kind="bank_line.undone").count() == 1
    assert sound(world)
    # It waits again, is proposed again, and is booked anew: another fact.
    line.refresh_from_db()
    again = accept(line_id=line.pk, key=best.key, **by(world))
    assert (again.state, books(world)["suspense"], Payment.objects.count()) == ("matched", 0, 2)
    assert sound(world)
    again.refresh_from_db()
    undo_match(line_id=line.pk, reason="", **by(world))
    assert books(world) == waiting
    assert sound(world)


def test_a_line_that_its_reference_matched_is_undone_too(play: Play, committed: str) -> None:
    world = play("make_promise")
    (line,) = bring(world, (110_00, "LA FABRIQUE", world.pledge.reference))
    assert (line.state, line.suspense_entry) == ("matched", "")
    assert Surplus.objects.get().state == "waiting"
    assert sound(world)
    line = undo_match(line_id=line.pk, reason="typed by another", **by(world))
    assert (line.state, bool(line.suspense_entry)) == ("suggested", True)
    assert books(world) == {"bank": 110_00, "suspense": 110_00, "budget": 0, "host_fees": 0}
    assert Surplus.objects.get().state == "returned"
    assert sound(world)


def test_what_is_used_since_or_in_a_locked_month_stays(play: Play) -> None:
    world = play("make_promise")
    (line,) = bring(world, (100_00, "LA FABRIQUE", world.pledge.reference))
    world.now += timedelta(days=40)
    asked = ask_lock(first_day=line.booked_on.replace(day=1), **by(world))
    lock(closing_id=asked.pk, **by(world, "denis"))
    before = entry_count()
    with pytest.raises(Conflict) as refusal:
        undo_match(line_id=line.pk, reason="too late", **by(world))
    assert (refusal.value.code, entry_count()) == ("match_not_undoable", before)
    assert "month is locked" in str(refusal.value)


def test_a_line_is_split_to_the_cent_and_undone(play: Play, committed: str) -> None:
    world = play("make_promise")
    other = another_pledge(world)
    (line,) = bring(world, (143_00, "COLLECTIF", "tout ensemble"))
    waiting, before = books(world), entry_count()
    one, two = Part(100_00, pledge=world.pledge.pk), Part(42_50, pledge=other.pk)
    for parts, code in (
        ([], "parts_missing"),
        ([one, two], "parts_differ"),
        ([one, two, Part(51, number="758")], "parts_differ"),
        ([one, two, Part(1_00, number="758"), Part(-50, number="627")], "part_amount"),
        ([Part(50_00, pledge=world.pledge.pk)] * 2 + [Part(43_00, number="758")], "pledge_twice"),
        ([Part(100_50, pledge=world.pledge.pk), two], "part_above_awaited"),
        ([one, Part(43_00, number="512")], "account_not_own"),
        ([one, Part(43_00, pledge="plg_nobody")], "pledge_not_found"),
    ):
        with pytest.raises(Invalid) as refusal:
            split_line(line_id=line.pk, parts=parts, **by(world))
        assert refusal.value.code == code
    assert (books(world), entry_count(), LinePart.objects.count()) == (waiting, before, 0)
    parts = [one, two, Part(50, number="758")]
    for _twice in range(2):
        line = split_line(line_id=line.pk, parts=parts, **by(world))
    assert (line.state, entry_count(), LinePart.objects.count()) == ("matched", before + 3, 3)
    assert (books(world)["suspense"], Payment.objects.count()) == (0, 2)
    assert sound(world)
    line = undo_match(line_id=line.pk, reason="not they", **by(world))
    assert (line.state, books(world)) == ("suggested", waiting)
    assert sound(world)
    line = split_line(line_id=line.pk, parts=[one, Part(43_00, number="758")], **by(world))
    assert LinePart.objects.filter(undone=False).count() == 2
    assert sound(world)


def test_postgresql_refuses_parts_that_do_not_add_up(play: Play) -> None:
    world = play("make_promise")
    (line,) = bring(world, (-3_20, "BANQUE", "FRAIS DE TENUE DE COMPTE"))
    book_to(line_id=line.pk, number="627", **by(world))
    with pytest.raises(IntegrityError, match="come to"), transaction.atomic():
        LinePart.objects.create(
            id="lnp_x", line=line, turn=0, place=9, amount=-1, currency="EUR", number="627", entry="none"
        )
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    with pytest.raises(IntegrityError, match="written once"), transaction.atomic():
        LinePart.objects.update(amount=-1)


def test_charges_interest_and_own_business_are_the_host_s(play: Play, committed: str) -> None:
    world = play("make_promise")
    charge, interest, rent = bring(
        world, (-3_20, "BANQUE", "FRAIS TENUE 03/2026"), (1_07, "BANQUE", "INTERETS"), (-250_00, "LOUEUR", "LOYER")
    )
    for line, number in ((charge, "627"), (interest, "768"), (rent, "613")):
        for _twice in range(2):
            done = book_to(line_id=line.pk, number=number, **by(world))
        assert (done.state, done.matched_to) == ("booked", number)
    assert books(world)["host_fees"] == 1_07 - 3_20 - 250_00
    assert books(world)["suspense"] == 0
    assert sound(world)
    undo_match(line_id=rent.pk, reason="", **by(world))
    assert (books(world)["host_fees"], books(world)["suspense"]) == (1_07 - 3_20, -250_00)
    assert sound(world)


def test_a_rule_is_offered_confirmed_proposes_and_is_switched_off(play: Play) -> None:
    world = play("make_promise")
    (first,) = bring(world, (-3_20, "BANQUE", "FRAIS TENUE 03/2026"))
    first = book_to(line_id=first.pk, number="627", **by(world))
    (second,) = bring(world, (-3_40, "BANQUE", "FRAIS TENUE 04/2026"))
    assert propose(world.users["claire"], [second]).best(second) is None  # nothing is learnt unasked
    facts = offered(first)
    assert facts is not None
    assert (facts["words"], facts["number"]) == ("BANQUE FRAIS TENUE", "627")
    with pytest.raises(Forbidden):
        confirm_rule(line_id=first.pk, **by(world, "ana"))
    for _twice in range(2):
        rule = confirm_rule(line_id=first.pk, **by(world))
    assert MatchingRule.objects.count() == 1
    assert second.state == "suggested"  # it proposes, and books nothing
    best = propose(world.users["claire"], [second]).best(second)
    assert best is not None
    assert (best.key, best.exact) == ("own:627", True)
    (wider,) = bring(world, (-9_00, "BANQUE", "FRAIS TENUE ET INCIDENT"))
    likely = propose(world.users["claire"], [wider]).best(wider)
    assert likely is not None
    assert likely.exact is False
    with pytest.raises(NotFound):
        switch_off(rule_id="rul_none", **by(world))
    switch_off(rule_id=rule.pk, **by(world))
    assert propose(world.users["claire"], [second]).best(second) is None


def test_a_rule_of_a_payer_makes_another_name_known(play: Play) -> None:
    world = play("make_promise")
    one, _two = another_pledge(world), another_pledge(world, "Autre Maison", 42_50)
    (line,) = bring(world, (40_00, "SARL TOITURES", "mars"))
    line = identify(line_id=line.pk, pledge_id=one.pk, **by(world))
    confirm_rule(line_id=line.pk, **by(world))
    (rest,) = bring(world, (2_50, "SARL TOITURES", "le reste"))
    best = propose(world.users["claire"], [rest]).best(rest)
    assert best is not None
    assert (best.key, best.exact) == (f"pledge:{one.pk}", True)


def test_a_line_told_twice_counts_once_and_may_come_back(play: Play, committed: str) -> None:
    world = play("make_promise")
    one, two, other = bring(world, (42_50, "X", "don"), (42_50, "X BIS", "don"), (1_00, "Y", "don"))
    for wrong in (other.pk, two.pk, 999_999):
        with pytest.raises(Invalid):
            mark_duplicate(line_id=two.pk, of_id=wrong, **by(world))
    for _twice in range(2):
        done = mark_duplicate(line_id=two.pk, of_id=one.pk, **by(world))
    assert (done.state, books(world)["bank"], books(world)["suspense"]) == ("duplicate", 43_50, 43_50)
    assert sound(world)
    back = undo_match(line_id=two.pk, reason="two gifts", **by(world))
    assert (back.state, books(world)["bank"], books(world)["suspense"]) == ("suggested", 86_00, 86_00)
    assert sound(world)
    mark_duplicate(line_id=two.pk, of_id=one.pk, **by(world))
    assert (books(world)["bank"], sound(world)) == (43_50, True)


def test_two_lines_for_one_pledge_are_exact_for_none(play: Play) -> None:
    world = play("make_promise")
    pledge = another_pledge(world)
    lines = bring(world, (42_50, "LE GRAND TOIT", "a"), (42_50, "LE GRAND TOIT", "b"))
    for line in lines:  # alone or together
        best = propose(world.users["claire"], [line]).best(line)
        assert best is not None
        assert (best.key, best.exact) == (f"pledge:{pledge.pk}", False)
    assert exact_ones(world.users["claire"]) == []


def test_accepting_all_books_each_and_tells_what_changed(play: Play, sign_in: SignIn, committed: str) -> None:
    world = play("make_promise")
    names = ["Atelier Nord", "Maison Verte", "Comptoir Libre", "Jardin Commun"]
    pledges = [another_pledge(world, name, 10_00 + place) for place, name in enumerate(names)]
    bring(world, *[(10_00 + place, name.upper(), "don") for place, name in enumerate(names)])
    shown = exact_ones(world.users["claire"])
    assert [best.key for _line, best in shown] == [f"pledge:{one.pk}" for one in pledges]
    claire = sign_in(world.users["claire"])
    page = claire.get(f"{INBOX}exact/")
    assert "Book 4 lines" in text_of(page)
    book_to(line_id=shown[0][0].pk, number="758", **by(world, "denis"))  # meanwhile
    sent = {"line": [f"{line.pk}|{best.key}" for line, best in shown]}
    answer = claire.post(f"{INBOX}exact/", sent)
    assert "3 lines are booked." in text_of(answer)
    assert "changed meanwhile" in text_of(answer)
    assert (Payment.objects.count(), BankLine.objects.filter(state="matched").count()) == (3, 3)
    claire.post(f"{INBOX}exact/", sent)
    assert (Payment.objects.count(), sound(world)) == (3, True)


def test_two_treasurers_accept_a_line_once(play: Play, committed: str) -> None:
    world = play("make_promise")
    pledge = another_pledge(world)
    (line,) = bring(world, (42_50, "LE GRAND TOIT", "don"))
    before = entry_count()

    def act(number: int) -> Any:
        who = by(world, ("claire", "denis")[number % 2])
        if number % 3 == 0:
            return accept(line_id=line.pk, key=f"pledge:{pledge.pk}", **who)
        if number % 3 == 1:
            return book_to(line_id=line.pk, number="758", **who)
        return accept_exact(chosen=[(line.pk, f"pledge:{pledge.pk}")], **who)

    at_once(act, 6)
    line.refresh_from_db()
    assert (line.state in {"matched", "booked"}, entry_count()) == (True, before + 1)
    assert (books(world)["suspense"], sound(world)) == (0, True)


def test_several_pledges_of_one_payer_are_proposed_as_a_split(play: Play, committed: str) -> None:
    world = play("make_promise")
    one = another_pledge(world, "Le Grand Toit", 20_00)
    facts: dict[str, Any] = {"actor": world.users["ana"], "budget": world.budget, "organisation": one.organisation}
    from backend.pledges.services import make_pledge

    two = make_pledge(amount=30_00, currency="EUR", form_key="two", now=world.now, **facts)
    (line,) = bring(world, (50_00, "LE GRAND TOIT", "les deux"))
    best = propose(world.users["claire"], [line]).best(line)
    assert best is not None
    assert (best.kind, best.exact) == ("pledges", False)
    assert {pledge.pk: amount for pledge, amount in best.parts} == {one.pk: 20_00, two.pk: 30_00}
    accept(line_id=line.pk, key=best.key, **by(world))
    assert (LinePart.objects.count(), Payment.objects.count(), sound(world)) == (2, 2, True)


def test_the_pages_say_and_do_it_without_script(play: Play, sign_in: SignIn, committed: str) -> None:
    world = play("make_promise")
    pledge = another_pledge(world)
    gift, charge, odd = bring(
        world, (42_50, "LE GRAND TOIT", "don"), (-3_20, "BANQUE", "FRAIS TENUE"), (5_00, "INCONNUE", "?")
    )
    claire = sign_in(world.users["claire"])
    shown = text_of(claire.get(INBOX))
    assert "exact Le Grand Toit, for Cartolibre" in shown
    assert "For: ✓ same amount as expected" in shown
    assert "Nothing known comes close." in shown
    assert claire.post(f"/en/bank/lines/{gift.pk}/accept/", {"key": "pledge:nonsense"}).status_code == 302
    assert "changed meanwhile" in text_of(claire.get(INBOX))
    assert Payment.objects.count() == 0
    claire.post(f"/en/bank/lines/{gift.pk}/accept/", {"key": f"pledge:{pledge.pk}"})
    assert "€42.50 is booked" in text_of(claire.get(INBOX)).replace("42.50 EUR", "€42.50")
    page = f"/en/bank/lines/{charge.pk}/book/"
    assert "Choose an account." in text_of(claire.post(page, {"number": ""}))
    assert claire.post(page, {"number": "627"}).status_code == 302
    shown = text_of(claire.get(INBOX))
    assert "Propose “627 Bank and provider fees” next time the text is “BANQUE FRAIS TENUE”?" in shown
    assert claire.post(f"/en/bank/lines/{charge.pk}/rule/").status_code == 302
    rule = MatchingRule.objects.get()
    assert "in force" in text_of(claire.get("/en/bank/rules/"))
    claire.post("/en/bank/rules/", {"rule": rule.pk})
    assert "off" in text_of(claire.get("/en/bank/rules/"))
    split = f"/en/bank/lines/{odd.pk}/split/"
    assert "Part 1" in text_of(claire.get(split))
    refused = claire.post(split, {"what": ["own:758", ""], "amount": ["4", ""]})
    assert refused.status_code == 422
    assert "are left" in text_of(refused), text_of(refused)[600:1500]
    assert claire.post(split, {"what": ["own:758", "own:768"], "amount": ["4", "1,00"]}).status_code == 302
    undo = f"/en/bank/lines/{odd.pk}/undo/"
    assert "Undo it" in text_of(claire.get(undo))
    assert claire.post(undo, {}).status_code == 302
    odd.refresh_from_db()
    assert (odd.state, sound(world)) == ("suggested", True)
    for path in (INBOX, "/en/bank/rules/"):
        assert sign_in(world.users["ana"]).get(path).status_code == 403


def test_the_list_filters(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    bring(world, (42_50, "ALPHA", "don"), (-3_20, "BETA", "FRAIS"), (5_00, "GAMMA", "?"))
    claire = sign_in(world.users["claire"])

    def names(query: str) -> set[str]:
        text = text_of(claire.get(f"{INBOX}?{query}"))
        return {one for one in ("ALPHA", "BETA", "GAMMA") if one in text}

    assert names("") == {"ALPHA", "BETA", "GAMMA"}
    assert names("amount=3,20") == {"BETA"}
    assert names("text=gam") == {"GAMMA"}
    assert names("state=matched") == set()
    assert names(f"account={world.account.pk}&amount=42.5") == {"ALPHA"}
    assert names("account=nobody") == set()
    assert "alert" in claire.get(f"{INBOX}?amount=ten").content.decode()


def test_the_list_costs_the_same_whatever_its_length(play: Play, sign_in: SignIn) -> None:
    world = play("make_promise")
    another_pledge(world)
    claire = sign_in(world.users["claire"])
    counts = []
    for lines in (1, 49, 450):
        bring(world, *[(1_00 + place, f"PAYER {lines} {place}", "don") for place in range(lines)])
        claire.get(INBOX)
        with CaptureQueriesContext(connection) as seen:
            assert claire.get(INBOX).status_code == 200
        counts.append(len(seen))
    assert counts[0] == counts[1] == counts[2]
    assert counts[0] <= 40
