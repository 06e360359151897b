"""The pages of transfers that did not arrive: what is known is said once, with a reason, behind a fresh factor."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from backend.banking.models import BankLine
from backend.distributions.models import Share
from backend.ledger.services import entry_count
from backend.payouts.models import Payout, PayoutBatch
from tests.payouts.test_undoing import pays, statement
from tests.web.test_public import text_of
from tests.web.test_work import grow_old

Play = Callable[..., Any]
SignIn = Callable[..., Client]
SAID = "écrit par la banque le 3 mars"


def test_a_refused_transfer_is_said_on_its_page_and_shown_to_its_payee(
    play: Play, sign_in: SignIn, committed: str
) -> None:
    world = play("pay")
    payout = pays(world)
    denis = sign_in(world.users["denis"])
    page = f"/fr/payouts/lines/{payout.pk}/"
    assert "1 tentative" in text_of(denis.get(page))
    before = entry_count()
    empty = denis.post(f"{page}refused/", {"code": "", "reason": ""})
    assert (empty.status_code, entry_count()) == (422, before)
    assert "Choisissez le motif de la banque" in text_of(empty)
    assert "transit" in text_of(denis.get(f"{page}refused/"))
    done = denis.post(f"{page}refused/", {"code": "AC04", "reason": SAID}, follow=True)
    assert "le compte est clos" in text_of(done)
    assert SAID in text_of(done)
    share = Share.objects.get(payouts__payout=payout)
    bo = sign_in(world.users["bo"])
    told = text_of(bo.get(f"/en/shares/{share.pk}/"))
    assert "The transfer did not arrive" in told
    assert "Refused by the bank (the account is closed" in told
    assert bo.get(page).status_code == 404
    # Pressed again, from a page left open: nothing more is booked.
    again = denis.post(f"{page}refused/", {"code": "AC04", "reason": SAID}, follow=True)
    assert (again.status_code, entry_count()) == (200, before + 1)


def test_it_takes_a_fresh_factor_and_a_treasurer(play: Play, sign_in: SignIn) -> None:
    world = play("pay")
    payout = pays(world)
    urls = [f"/en/payouts/lines/{payout.pk}/refused/", f"/en/payouts/{world.batch.pk}/outcome/"]
    denis = sign_in(world.users["denis"])
    grow_old(denis)
    for url in urls:
        assert denis.post(url, {"code": "MS03", "reason": SAID, "outcome": "refused"}).status_code == 302
    assert set(Payout.objects.values_list("state", flat=True)) == {"sent"}


def test_a_batch_in_doubt_offers_only_what_is_safe(play: Play, sign_in: SignIn) -> None:
    world = play("pay")
    claire = sign_in(world.users["claire"])
    url, page = f"/en/payouts/{world.batch.pk}/outcome/", f"/en/payouts/{world.batch.pk}/"
    assert "The bank refused it, or you do not know" in text_of(claire.get(page))
    refused = claire.post(url, {"outcome": "refused", "code": "", "reason": SAID})
    assert (refused.status_code, PayoutBatch.objects.get().state) == (422, "sent")
    told = text_of(claire.post(url, {"outcome": "unknown", "reason": SAID}, follow=True))
    assert "nobody knows whether it left" in text_of(claire.get("/en/treasury/"))
    assert "Nothing of it is paid again before somebody knows" in told
    assert "Take the file again" not in told
    assert "Nobody knows yet" not in text_of(claire.get(url))
    claire.post(url, {"outcome": "found", "reason": SAID})
    assert PayoutBatch.objects.get().state == "sent"
    told = text_of(claire.post(url, {"outcome": "refused", "code": "FF01", "reason": SAID}, follow=True))
    assert "None of its transfers arrived" in told
    assert set(Share.objects.filter(amount__gt=0).values_list("state", flat=True)) == {"returned"}
    late = claire.post(url, {"outcome": "unknown", "reason": SAID})
    assert (late.status_code, PayoutBatch.objects.get().state) == (409, "returned")
    assert "already" in text_of(late) or "this one is" in text_of(late)


@pytest.mark.parametrize("language", ["fr", "en"])
def test_a_payment_sent_back_is_booked_from_its_line(
    play: Play, sign_in: SignIn, committed: str, language: str
) -> None:
    world = play("settle")
    payout = pays(world)
    line = statement(world, (payout.amount, "BO", "RETOUR", payout.end_to_end_id), returned="AC01")
    claire = sign_in(world.users["claire"])
    url = f"/{language}/bank/lines/{line.pk}/"
    assert f"?back={payout.pk}" in claire.get(url).content.decode()
    assert payout.end_to_end_id in text_of(claire.get(f"{url}?back={payout.pk}"))
    before = entry_count()
    done = claire.post(url, {"back": payout.pk}, follow=True)
    assert (done.status_code, entry_count()) == (200, before + 1)
    assert BankLine.objects.get(pk=line.pk).matched_to == payout.pk
    assert payout.end_to_end_id in text_of(done)
    refused = claire.post(url, {"back": payout.pk}, follow=True)
    assert (refused.status_code, entry_count()) == (200, before + 1)
    assert payout.name in text_of(claire.get(url))
