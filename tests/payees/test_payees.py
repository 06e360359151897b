"""Several payees of one person: their details, the one by default, the one of a share, the end of one."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from backend.core.errors import Conflict, DomainError, Forbidden, Invalid, NotFound
from backend.distributions.models import Share
from backend.distributions.payees import choose_payee, close_payee
from backend.events.models import Event
from backend.identity.organisations import Address
from backend.ledger.services import balance, entry_count
from backend.operations import demo
from backend.operations.selfcheck import check
from backend.payees.blocking import LIFE, block_payee, block_token
from backend.payees.details import MOST, Details, add_payee, choose_default, details_of, edit_payee
from backend.payees.models import Payee
from backend.payees.services import booked_names, hindrance, payee_of, set_account
from backend.payouts.services import prepare_batch
from tests.concurrency import at_once
from tests.papers import document_all

Play = Callable[..., Any]
COOP = Details(
    kind="cooperative", legal_name="Coop des Prés", siren="404 833 048", vat_status="liable",
    vat_number="FR83 404833048", address=Address("3 rue Verte", "69001", "Lyon", "FR"),
)  # fmt: skip


def coop_of(world: Any, who: str = "bo") -> Payee:
    return add_payee(actor=world.users[who], details=COOP, now=world.now)


def test_a_payee_is_added_with_what_its_papers_say(play: Play) -> None:
    world = play("make_house")
    bo = world.users["bo"]
    made = coop_of(world)
    assert (made.siren, made.vat_number, made.is_default) == ("404833048", "FR83404833048", False)
    assert details_of(made).address == COOP.address
    assert "rue Verte" not in made.address_sealed
    assert payee_of(bo, now=world.now) != made
    assert hindrance(made, world.now) == "no_account"
    event = Event.objects.get(kind="payee.added")
    assert "Prés" not in str(event.after)
    assert event.after["siren"] == "404833048"


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"kind": "bank"}, "kind_unknown"),
        ({"legal_name": " "}, "name_missing"),
        ({"siren": "123456789"}, "siren_invalid"),
        ({"siren": ""}, "siren_missing"),
        ({"kind": "company", "siren": "", "rna": "W353001234"}, "siren_missing"),
        ({"rna": "353001234"}, "rna_invalid"),
        ({"vat_status": "maybe"}, "vat_status_unknown"),
        ({"vat_number": ""}, "vat_number_missing"),
        ({"vat_number": "FR00404833048"}, "vat_number_invalid"),
        ({"vat_status": "franchise"}, "vat_number_without_vat"),
        ({"vat_number": "FR40303265045"}, "vat_number_of_another"),
        ({"address": Address("3 rue Verte", "", "Lyon", "FR")}, "address_incomplete"),
    ],
)
def test_what_papers_could_not_say_is_refused(play: Play, changed: dict[str, Any], code: str) -> None:
    world = play("make_house")
    made = coop_of(world)
    before = details_of(made)
    with pytest.raises(Invalid) as refusal:
        edit_payee(
            actor=world.users["bo"], payee_id=made.pk, details=Details(**{**vars(COOP), **changed}), now=world.now
        )
    assert refusal.value.code == code
    assert refusal.value.param
    made.refresh_from_db()
    assert details_of(made) == before
    with pytest.raises(Invalid):
        add_payee(actor=world.users["bo"], details=Details(**{**vars(COOP), **changed}), now=world.now)
    assert Payee.objects.filter(user=world.users["bo"]).count() == 2


def test_an_association_without_siren_gives_its_rna_and_a_foreign_one_neither(play: Play) -> None:
    world = play("make_house")
    facts = {"kind": "association", "legal_name": "Les Communs"}
    known = add_payee(actor=world.users["bo"], details=Details(rna="w353 001234", **facts), now=world.now)
    assert known.rna == "W353001234"
    add_payee(
        actor=world.users["bo"], details=Details(**facts, address=Address("1 rue", "1000", "Bruxelles", "be")),
        now=world.now,
    )  # fmt: skip


def test_ones_own_payees_are_edited_and_nobody_elses(play: Play) -> None:
    world = play("make_house")
    made = coop_of(world)
    with pytest.raises(NotFound):
        edit_payee(actor=world.users["camille"], payee_id=made.pk, details=COOP, now=world.now)
    told = Event.objects.count()
    edit_payee(actor=world.users["bo"], payee_id=made.pk, details=details_of(made), now=world.now)
    assert Event.objects.count() == told  # the same again
    edit_payee(actor=world.users["bo"], payee_id=made.pk, details=Details("person"), now=world.now)
    assert details_of(Payee.objects.get(pk=made.pk)) == Details("person")


def test_twenty_payees_are_enough(play: Play) -> None:
    world = play("make_house")
    for _number in range(MOST - 1):
        coop_of(world)
    with pytest.raises(Conflict) as refusal:
        coop_of(world)
    assert refusal.value.code == "too_many_payees"
    assert Payee.objects.filter(user=world.users["bo"]).count() == MOST


def test_what_is_shared_goes_to_the_payee_by_default(play: Play) -> None:
    world = play("work")
    made = coop_of(world)
    with pytest.raises(NotFound):
        choose_default(actor=world.users["camille"], payee_id=made.pk, now=world.now)
    choose_default(actor=world.users["bo"], payee_id=made.pk, now=world.now)
    assert list(Payee.objects.filter(user=world.users["bo"], is_default=True)) == [made]
    demo.close(world)
    demo.approve_distribution(world)
    assert Share.objects.get(contributor=world.users["bo"]).payee == made
    assert balance(kind="payee", owner=made.pk, currency="EUR") == 57_00


def test_postgresql_keeps_one_payee_by_default_and_it_is_open(play: Play) -> None:
    world = play("make_house")
    made = coop_of(world)
    for change in ({"is_default": True}, {"is_default": True, "closed_at": world.now}):
        with pytest.raises(IntegrityError), transaction.atomic():
            Payee.objects.filter(pk=made.pk).update(**change)


def test_of_two_choices_at_once_one_payee_is_by_default(committed: str, play: Play) -> None:
    world = play("make_house")
    payees = [coop_of(world).pk, coop_of(world).pk]
    at_once(lambda n: choose_default(actor=world.users["bo"], payee_id=payees[n % 2], now=world.now), 6)
    assert Payee.objects.filter(user=world.users["bo"], is_default=True).count() == 1


def bos(world: Any) -> Share:
    return Share.objects.select_related("payee").get(contributor=world.users["bo"])


def test_a_share_is_owed_to_the_payee_chosen_for_it(committed: str, play: Play) -> None:
    world = play("approve_distribution")
    made, bo = coop_of(world), world.users["bo"]
    first = bos(world).payee_id
    booked = entry_count()
    for _twice in range(2):
        share = choose_payee(actor=bo, share_id=bos(world).pk, payee_id=made.pk, now=world.now)
    assert (share.payee, share.state, entry_count()) == (made, "owed", booked + 1)
    assert balance(kind="payee", owner=first, currency="EUR") == 0
    assert balance(kind="payee", owner=made.pk, currency="EUR") == 57_00
    assert [name for _since, name in booked_names([made.pk])[made.pk]] == ["Coop des Prés"]
    # There and back again is another fact each time.
    choose_payee(actor=bo, share_id=share.pk, payee_id=first, now=world.now)
    choose_payee(actor=bo, share_id=share.pk, payee_id=made.pk, now=world.now)
    assert entry_count() == booked + 3
    assert balance(kind="payee", owner=made.pk, currency="EUR") == 57_00
    assert not check()


def test_a_document_of_another_payee_counts_no_more(play: Play) -> None:
    world = play("document")
    share = choose_payee(actor=world.users["bo"], share_id=bos(world).pk, payee_id=coop_of(world).pk, now=world.now)
    assert share.state == "owed"


def refused(world: Any, share: Share, payee_id: str, by: str) -> DomainError:
    before = (bos(world).payee_id, bos(world).state, entry_count())
    with pytest.raises(DomainError) as refusal:
        choose_payee(actor=world.users[by], share_id=share.pk, payee_id=payee_id, now=world.now)
    assert (bos(world).payee_id, bos(world).state, entry_count()) == before
    return refusal.value


def test_who_chooses_and_when(play: Play) -> None:
    world = play("approve_distribution")
    made, share = coop_of(world), bos(world)
    assert isinstance(refused(world, share, made.pk, "claire"), Forbidden)
    assert isinstance(refused(world, share, made.pk, "ana"), NotFound)
    assert refused(world, share, Payee.objects.get(user=world.users["camille"]).pk, "bo").code == "payee_not_found"
    closed = coop_of(world)
    close_payee(actor=world.users["bo"], payee_id=closed.pk, now=world.now)
    assert refused(world, share, closed.pk, "bo").code == "payee_closed"
    document_all(world.now)
    prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    assert refused(world, share, made.pk, "bo").code == "share_not_due"


def test_nothing_is_chosen_for_a_share_that_is_not_booked(play: Play) -> None:
    world = play("close")
    assert refused(world, bos(world), coop_of(world).pk, "bo").code == "share_not_due"


def test_postgresql_changes_the_payee_of_a_share_alone_and_in_time(play: Play) -> None:
    world = play("approve_distribution")
    made, share = coop_of(world), bos(world)
    other = Payee.objects.get(user=world.users["camille"])
    closed = coop_of(world)
    close_payee(actor=world.users["bo"], payee_id=closed.pk, now=world.now)
    attacks = [
        f"payee_id = '{made.pk}', amount = amount + 1",
        f"payee_id = '{made.pk}', state = 'paid'",
        f"payee_id = '{made.pk}', waived = 1",
        f"payee_id = '{other.pk}'",
        f"payee_id = '{closed.pk}'",
        f"payee_id = '{other.pk}', contributor_id = '{other.user_id}'",
    ]
    for written in attacks:
        with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as raw:
            raw.execute(f"UPDATE distributions_share SET {written} WHERE id = %s", [share.pk])
    document_all(world.now)
    prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    with pytest.raises(IntegrityError), transaction.atomic():
        Share.objects.filter(pk=share.pk).update(payee=made)
    assert bos(world).payee_id == share.payee_id


def test_a_batch_and_a_choice_at_once_have_one_outcome(committed: str, play: Play) -> None:
    world = play("document")
    made, share = coop_of(world), bos(world)
    set_account(
        actor=world.users["bo"], payee_id=made.pk, name="Coop", iban="FR1420041010050500013M02606",
        now=world.now - timedelta(days=9),
    )  # fmt: skip
    acts = [
        lambda: choose_payee(actor=world.users["bo"], share_id=share.pk, payee_id=made.pk, now=world.now),
        lambda: prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now),
    ]
    at_once(lambda number: acts[number](), 2)
    live = bos(world).payouts.filter(live=True).select_related("payout")
    assert [one.payout.payee_id for one in live] in ([], [bos(world).payee_id])
    assert not check()


def test_a_payee_that_is_owed_or_by_default_is_not_closed(play: Play) -> None:
    world = play("approve_distribution")
    made, bo = coop_of(world), world.users["bo"]
    first = bos(world).payee
    for key, code in ((first.pk, "payee_by_default"), ("pye_nothing", "payee_not_found")):
        with pytest.raises(DomainError) as refusal:
            close_payee(actor=bo, payee_id=key, now=world.now)
        assert refusal.value.code == code
    choose_default(actor=bo, payee_id=made.pk, now=world.now)
    with pytest.raises(Conflict) as owed:
        close_payee(actor=bo, payee_id=first.pk, now=world.now)
    assert owed.value.code == "payee_owed"
    choose_payee(actor=bo, share_id=bos(world).pk, payee_id=made.pk, now=world.now)
    assert close_payee(actor=bo, payee_id=first.pk, now=world.now).closed_at == world.now
    assert hindrance(Payee.objects.get(pk=first.pk), world.now) == "payee_closed"
    with pytest.raises(Conflict):
        close_payee(actor=bo, payee_id=first.pk, now=world.now)


def test_the_link_of_the_mail_blocks_until_the_account_is_given_again(play: Play) -> None:
    world = play("make_house")
    payee = Payee.objects.get(user=world.users["bo"])
    token = block_token(payee.pk, now=world.now)
    for late in (token + "x", "x", block_token(payee.pk, now=world.now - LIFE - timedelta(seconds=2))):
        with pytest.raises(NotFound) as refusal:
            block_payee(token=late, now=world.now)
        assert refusal.value.code == "block_link_over"
    payee.refresh_from_db()
    assert payee.blocked_at is None
    for _twice in range(2):
        assert hindrance(block_payee(token=token, now=world.now), world.now) == "payee_blocked"
    assert Event.objects.filter(kind="payee.blocked").count() == 1


def test_an_address_replaced_lately_is_told_of_a_new_account(play: Play) -> None:
    from allauth.account.models import EmailAddress

    from backend.notifications.models import OutgoingMail
    from backend.privacy.models import Former

    world = play("make_house")
    demo.sweep(world.now)
    OutgoingMail.objects.all().delete()
    bo, ana = world.users["bo"], world.users["ana"]
    for text, days in (("bo@lately.example", 30), ("bo@long-ago.example", 31), ("bo@taken.example", 1)):
        Former.objects.create(user=bo, kind="email", text=text, noted_at=world.now - timedelta(days=days))
    Former.objects.create(user=bo, kind="name", text="bo@name.example", noted_at=world.now)
    EmailAddress.objects.create(user=ana, email="Bo@taken.example", verified=True, primary=False)
    set_account(actor=bo, name="Bo Nguyen", iban="NL91ABNA0417164300", now=world.now)
    demo.sweep(world.now)
    mails = {mail.recipient: mail for mail in OutgoingMail.objects.all()}
    assert set(mails) == {"bo@example.org", "bo@lately.example"}
    assert "/payees/block/" in mails["bo@lately.example"].body


def test_each_change_is_told_to_every_address_with_who_made_it(play: Play) -> None:
    from allauth.account.models import EmailAddress

    from backend.notifications.models import OutgoingMail

    world = play("make_house")
    demo.sweep(world.now)
    OutgoingMail.objects.all().delete()
    bo = world.users["bo"]
    EmailAddress.objects.create(user=bo, email="bo@old.example", verified=True, primary=False)
    EmailAddress.objects.create(user=bo, email="bo@typed.example", verified=False, primary=False)
    set_account(actor=bo, name="Bo Nguyen", iban="NL91ABNA0417164300", now=world.now)
    demo.sweep(world.now)
    mails = list(OutgoingMail.objects.order_by("recipient"))
    assert [mail.recipient for mail in mails] == ["bo@example.org", "bo@old.example"]
    body = mails[1].body
    assert bo.name in body
    assert "/payees/block/" in body
    assert "NL91 •••• 4300" in body
    assert mails[1].secret
    token = body.split("/payees/block/")[1].split("/")[0]
    assert block_payee(token=token, now=world.now).pk == Payee.objects.get(user=bo).pk
    demo.sweep(world.now)
    told = set(OutgoingMail.objects.exclude(pk__in=[mail.pk for mail in mails]).values_list("recipient", flat=True))
    assert told == {"bo@example.org", "bo@old.example", "claire@example.org", "denis@example.org"}
