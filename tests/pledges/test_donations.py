"""Gifts without an account: promised once per form, sealed, stopped, taken into an account, forgotten."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from django.core.cache import cache
from django.utils import timezone, translation
from django.utils.formats import date_format

from backend.core import crypto
from backend.core.errors import Conflict, DomainError, Invalid, NotFound
from backend.events.models import Event
from backend.ledger.services import entry_count
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations.figures import five_figures
from backend.payments.models import Refund
from backend.payments.refunds import refund_payment
from backend.payments.services import receive_transfer
from backend.pledges.calendar import due_day
from backend.pledges.calling import call_due, remind_due
from backend.pledges.donations import (
    claim_gifts,
    claimed_gift,
    forget_donors,
    gift_code,
    gift_of,
    gifts_to_claim,
    give,
    largest,
    own_gifts,
    stop_gift,
    unpaid_donors,
)
from backend.pledges.models import Donor, Instalment, Pledge
from backend.pledges.services import note_received
from backend.privacy.donors import forget_donor
from backend.privacy.erasure import ask_erasure, erase_due
from backend.privacy.export import gathered
from backend.privacy.retention import apply_now
from backend.web.story import funders
from tests.concurrency import at_once

Play = Callable[..., Any]


def gift(world: Any, **changes: Any) -> Pledge:
    """Gaëlle's gift of twenty euros, with some values changed."""
    facts: dict[str, Any] = {
        "budget": world.budget, "name": "Gaëlle Roy", "email": "Gaelle@Example.org", "amount": 20_00,
        "currency": "EUR", "rhythm": "once", "named": False, "language": "fr", "form_key": "g", "now": timezone.now(),
    }  # fmt: skip
    return give(**{**facts, **changes})


def test_a_gift_is_a_promise_of_somebody_sealed(play: Play) -> None:
    world = play("make_house")
    made = gift(world)
    donor = Donor.objects.get()
    assert (made.payer_name, made.public_name, made.expected, made.received) == ("Gaëlle Roy", None, 20_00, 0)
    assert (donor.name, donor.email, donor.language) == ("Gaëlle Roy", "gaelle@example.org", "fr")
    assert "Gaëlle" not in donor.name_sealed + donor.email_sealed
    assert donor.name_sealed.startswith("own:")
    assert donor.email_sealed.startswith("own:")
    assert list(Instalment.objects.values_list("number", "state", "amount", "due_on")) == [
        (1, "called", 20_00, made.starts_on)
    ]
    event = Event.objects.get(kind="gift.made")
    assert event.actor is None
    assert event.data == {"amount": 20_00, "currency": "EUR", "rhythm": "once"}
    assert entry_count() == 0


@pytest.mark.parametrize(
    ("changes", "kind", "code"),
    [
        ({"amount": 0}, Invalid, "amount_out_of_range"),
        ({"amount": 1.0}, Invalid, "amount_out_of_range"),
        ({"currency": "USD"}, Invalid, "other_currency"),
        ({"currency": "DEM"}, Invalid, "unknown_currency"),
        ({"rhythm": "weekly"}, Invalid, "rhythm_unknown"),
        ({"name": "  "}, Invalid, "name_missing"),
        ({"name": "\u200b\u00ad\u3164"}, Invalid, "name_missing"),
        ({"name": "\u0301" * 20}, Invalid, "name_missing"),
        ({"name": "\x01\x08"}, Invalid, "name_missing"),
        ({"name": "Locked, sign in at https://evil.example/login"}, Invalid, "name_with_address"),
        ({"name": "go to www.evil.example"}, Invalid, "name_with_address"),
        ({"name": "evil.example/login"}, Invalid, "name_with_address"),
        ({"amount": 10_000_01}, Invalid, "gift_too_large"),
        ({"email": "nobody"}, Invalid, "email_invalid"),
    ],
)
def test_a_bad_gift_is_refused_and_leaves_nothing(
    play: Play, changes: dict[str, Any], kind: type[DomainError], code: str
) -> None:
    world = play("make_house")
    with pytest.raises(kind) as refusal:
        gift(world, **changes)
    assert refusal.value.code == code
    assert not Donor.objects.exists()
    assert not Pledge.objects.exists()
    assert not Event.objects.filter(kind="gift.made").exists()


def test_a_pot_that_takes_no_pledge_takes_no_gift(play: Play) -> None:
    world = play("make_house")
    type(world.budget).objects.filter(pk=world.budget.pk).update(state="closing")
    with pytest.raises(Conflict) as refusal:
        gift(world)
    assert refusal.value.code == "budget_not_open"
    assert not Donor.objects.exists()


def test_the_same_form_sent_ten_times_at_once_makes_one_gift(committed: str, play: Play) -> None:
    world = play("make_house")
    made = at_once(lambda _turn: gift(world).pk)
    assert len(set(made)) == 1
    assert (Donor.objects.count(), Pledge.objects.count(), Instalment.objects.count()) == (1, 1, 1)
    for other in ({"amount": 30_00}, {"name": "Somebody Else"}, {"named": True}, {"email": "b@example.org"}):
        with pytest.raises(Conflict) as refusal:
            gift(world, **other)
        assert refusal.value.code == "form_key_reused"
    assert Donor.objects.count() == 1


def test_the_link_of_a_gift_opens_that_gift_alone(play: Play) -> None:
    world = play("make_house")
    first, second = gift(world), gift(world, form_key="h")
    assert gift_of(gift_code(first)).pk == first.pk
    assert gift_of(gift_code(second)).pk == second.pk
    for code in ("", first.pk, gift_code(first)[:-1] + "!", gift_code(first).replace(":", ".")):
        with pytest.raises(NotFound):
            gift_of(code)


def test_the_link_does_not_open_the_pledge_of_an_organisation(play: Play) -> None:
    world = play("make_promise")
    with pytest.raises(NotFound):
        gift_of(gift_code(world.pledge))


def test_whoever_has_the_link_stops_the_gift_and_what_came_stays(play: Play) -> None:
    world = play("make_house")
    made = gift(world, rhythm="monthly")
    note_received(pledge_id=made.pk, amount=5_00, now=timezone.now())
    stopped = stop_gift(code=gift_code(made), now=timezone.now())
    assert (stopped.state, stopped.received, stopped.expected) == ("cancelled", 5_00, 0)
    assert Instalment.objects.get().state == "cancelled"
    event = Event.objects.get(kind="pledge.cancelled")
    assert event.before == {"state": "active", "expected": 15_00}
    stop_gift(code=gift_code(made), now=timezone.now())
    assert Event.objects.filter(kind="pledge.cancelled").count() == 1
    compose_due(timezone.now())
    told = OutgoingMail.objects.filter(event__kind="pledge.cancelled")
    assert [mail.recipient for mail in told] == ["gaelle@example.org"]  # money came of it: it is theirs


def test_the_largest_gift_without_an_account_is_ten_thousand(play: Play) -> None:
    world = play("make_house")
    assert gift(world, amount=10_000_00).expected == 10_000_00
    assert largest("JPY") == 10_000
    assert largest("TND") == 10_000_000


def test_a_name_is_kept_as_it_reads(play: Play) -> None:
    world = play("make_house")
    assert gift(world, name=" Zo\u00ade\u200b  J.-P. \u202eÉté\x0b1 ").payer_name == "Zoe J.-P. Été 1"
    joined = "家族 \U0001f468\u200d\U0001f469"
    assert gift(world, name=joined, form_key="h").payer_name == joined


def test_the_mail_says_how_to_pay_and_holds_the_link(play: Play) -> None:
    world = play("make_house")
    made = gift(world, language="en", rhythm="monthly", now=world.now)
    compose_due(timezone.now())
    mail = OutgoingMail.objects.get(recipient="gaelle@example.org")
    assert mail.subject == "Your gift of €20.00 to Cartolibre"
    day = date_format(due_day(made.starts_on, "monthly", 2), "DATE_FORMAT")
    assert f"The next transfer is awaited on {day}" in mail.body
    assert mail.body.startswith("Hello,\n\n")
    assert "Gaëlle" not in mail.subject + mail.body, "a stranger may have typed it"
    assert gift_of(mail.body.split("/en/gifts/")[1].split("/")[0]).pk == made.pk
    assert "FR7630006000011234567890189" in mail.body
    assert mail.secret


def test_a_stranger_cannot_have_an_address_written_to_all_day(play: Play) -> None:
    world = play("make_house")
    for number in range(8):
        gift(world, form_key=f"n{number}")
    compose_due(timezone.now())
    assert OutgoingMail.objects.filter(recipient="gaelle@example.org").count() == 5
    assert Pledge.objects.filter(donor__isnull=False).count() == 8  # the answer was the same each time
    gift(world, email="other@example.org", form_key="o")
    compose_due(timezone.now())
    assert OutgoingMail.objects.filter(recipient="other@example.org").count() == 1


def test_no_act_of_a_stranger_writes_more_often_to_an_address(play: Play) -> None:
    world = play("make_house")
    for number in range(18):
        made = gift(world, form_key=f"n{number}")
        compose_due(timezone.now())
        if number % 2:
            stop_gift(code=gift_code(made), now=timezone.now())
        else:
            forget_donor(code=gift_code(made), now=timezone.now())  # and its mail goes: that opens nothing
        compose_due(timezone.now())
    assert Event.objects.filter(kind="pledge.cancelled").count() == 18
    assert OutgoingMail.objects.filter(recipient="gaelle@example.org").count() == 2  # those of five that were kept
    assert cache.get("gift-mail:" + crypto.equality_index("gaelle@example.org")) == 5


def test_who_never_paid_is_told_once_how_to_pay_and_left_in_peace(play: Play) -> None:
    world = play("make_house")
    made = gift(world, rhythm="monthly", now=world.now)
    later = world.now
    for _week in range(12):
        later += timedelta(days=7)
        call_due(later)
        remind_due(later)
        compose_due(later)
    kinds = list(OutgoingMail.objects.filter(recipient="gaelle@example.org").values_list("event__kind", flat=True))
    assert kinds == ["gift.made"]
    note_received(pledge_id=made.pk, amount=20_00, now=later)
    for week in range(1, 6):
        call_due(later + timedelta(days=7 * week))
        compose_due(later + timedelta(days=7 * week))
    assert OutgoingMail.objects.filter(recipient="gaelle@example.org", event__kind="pledge.called").exists()


def test_gifts_of_a_verified_address_come_into_the_account_and_no_other(play: Play) -> None:
    world = play("make_house")
    bo = world.users["bo"]
    mine = gift(world, email="BO@example.org")
    gift(world, form_key="h")
    EmailAddress.objects.create(user=bo, email="gaelle@example.org", verified=False, primary=False)
    assert [row.pk for row in gifts_to_claim(bo)] == [mine.pk]
    assert not Pledge.visible_to(bo).filter(pk=mine.pk).exists()
    assert claim_gifts(actor=bo, now=timezone.now()) == 1
    assert claim_gifts(actor=bo, now=timezone.now()) == 0
    assert [row.pk for row in own_gifts(bo)] == [mine.pk]
    assert Pledge.visible_to(bo).filter(pk=mine.pk).exists()
    assert Donor.objects.filter(claimed_by=None).count() == 1
    data = gathered(bo)
    assert [row["id"] for row in data["given"]] == [mine.pk]
    with pytest.raises(NotFound):  # whoever typed the address of somebody else keeps a link that opens nothing
        gift_of(gift_code(mine))
    with pytest.raises(NotFound):
        stop_gift(code=gift_code(mine), now=timezone.now())
    with pytest.raises(NotFound):
        forget_donor(code=gift_code(mine), now=timezone.now())
    mine.refresh_from_db()
    assert (mine.state, mine.payer_name) == ("active", "Gaëlle Roy")
    assert claimed_gift(gift_code(mine), bo) == mine
    assert claimed_gift(gift_code(mine), world.users["camille"]) is None


def test_who_asks_to_be_forgotten_is_and_the_books_keep_the_gift(play: Play) -> None:
    world = play("make_house")
    made = gift(world, named=True, rhythm="monthly")
    code = gift_code(made)
    compose_due(timezone.now())
    note_received(pledge_id=made.pk, amount=20_00, now=timezone.now())
    forget_donor(code=code, now=timezone.now())
    donor = Donor.objects.get()
    assert (donor.name, donor.email, donor.email_index) == ("", "", "")
    made.refresh_from_db()
    assert (made.received, made.state, made.visibility, made.public_name) == (20_00, "cancelled", "anonymous", None)
    assert not OutgoingMail.objects.filter(recipient="gaelle@example.org").exists()
    with pytest.raises(crypto.KeyDestroyed):
        crypto.seal_for(donor.pk, "again", bound_to=donor.pk)
    with pytest.raises(NotFound):
        gift_of(code)
    assert forget_donors([donor.pk], now=timezone.now()) == []


def test_who_erases_their_account_is_forgotten_as_a_donor_too(play: Play) -> None:
    world = play("make_house")
    gift(world, email="camille@example.org")
    gift(world, email="camille@example.org", form_key="h")
    Donor.objects.filter(pledges__form_key="h").update(claimed_by=world.users["camille"], claimed_at=timezone.now())
    gift(world, form_key="other")
    ask_erasure(user=world.users["camille"], typed="camille@example.org", now=timezone.now())
    assert erase_due(timezone.now() + timedelta(days=8)) == 1
    assert [donor.name for donor in Donor.objects.order_by("created_at", "pk")] == ["", "", "Gaëlle Roy"]


def test_a_donor_who_never_paid_is_forgotten_after_thirteen_months(play: Play) -> None:
    world = play("make_house")
    now = timezone.now()
    old = now - timedelta(days=400)
    paid, claimed = gift(world, now=old, form_key="paid"), gift(world, now=old, form_key="claimed")
    gift(world, now=old, form_key="old")
    gift(world, now=now - timedelta(days=390), form_key="young")
    note_received(pledge_id=paid.pk, amount=1_00, now=old)
    Donor.objects.filter(pledges=claimed).update(claimed_by=world.users["bo"], claimed_at=old)
    assert [row.pledges.get().form_key for row in unpaid_donors(now)] == ["old"]
    assert apply_now(now)["donors"] == 1
    assert sorted(row.pledges.get().form_key for row in Donor.objects.filter(name_sealed="")) == ["old"]
    assert not unpaid_donors(now).exists()


def test_figures_and_lists_count_a_gift_once_money_came(play: Play) -> None:
    world = play("make_house")
    made = gift(world, named=True, amount=9_999_00, rhythm="monthly")

    def told() -> tuple[Any, ...]:
        known = funders([world.budget.pk])
        return five_figures(world.budget).expected, [(one.name, one.pledged) for one in known.named], known.count

    assert told() == (0, [], 0)
    note_received(pledge_id=made.pk, amount=1_00, now=timezone.now())
    assert told() == (9_998_00, [("Gaëlle Roy", 9_999_00)], 1)
    other = gift(world, email="bo@example.org", form_key="bo")
    claim_gifts(actor=world.users["bo"], now=timezone.now())
    assert told() == (10_018_00, [("Gaëlle Roy", 9_999_00)], 2)
    assert not other.received


def test_a_forgotten_donor_who_is_owed_money_is_forgotten_once_it_is_paid(play: Play) -> None:
    world = play("make_house")
    now = world.now
    made = gift(world, name="Zebulon Quagmire", email="zebulon@example.org")
    payment = receive_transfer(
        pledge=made, amount=20_00, source="line:1", purse=("bank", world.account.pk), received_on=world.today,
        actor=None, now=now,
    ).payments[0]  # fmt: skip
    facts = {
        "actor": world.users["claire"], "payment_id": payment.pk, "name": "Zebulon Quagmire",
        "iban": "FR7630006000011234567890189", "now": now,
    }  # fmt: skip
    with translation.override("fr"):
        nobody = translation.gettext("Former supporter")
    first = refund_payment(amount=5_00, reason="Zebulon asked, zebulon@example.org", form_key="a", **facts)
    forget_donor(code=gift_code(made), now=now)
    first.refresh_from_db()
    assert (first.state, first.name, bool(first.iban_sealed)) == ("owed", "Zebulon Quagmire", True)
    assert first.reason == f"{nobody} asked, {nobody}"
    assert not apply_now(now).get("refunds")  # its account is still needed
    Refund.objects.filter(pk=first.pk).update(state="paid")
    assert apply_now(now)["refunds"] == 1
    first.refresh_from_db()
    assert (first.name, first.iban_sealed, first.iban_index, first.iban_hint) == (nobody, "", "", "")
    with pytest.raises(crypto.KeyDestroyed):
        crypto.seal_for(first.pk, "again", bound_to=first.pk)
    assert not apply_now(now).get("refunds")


def test_the_refund_of_a_donor_who_is_known_keeps_its_account(play: Play) -> None:
    world = play("make_house")
    made = gift(world)
    payment = receive_transfer(
        pledge=made, amount=20_00, source="line:1", purse=("bank", world.account.pk), received_on=world.today,
        actor=None, now=world.now,
    ).payments[0]  # fmt: skip
    kept = refund_payment(
        actor=world.users["claire"], payment_id=payment.pk, amount=5_00, name="Gaëlle", reason="r", form_key="a",
        iban="FR7630006000011234567890189", now=world.now,
    )  # fmt: skip
    Refund.objects.filter(pk=kept.pk).update(state="paid")
    assert not apply_now(world.now).get("refunds")
    kept.refresh_from_db()
    assert (kept.name, bool(kept.iban_sealed)) == ("Gaëlle", True)
