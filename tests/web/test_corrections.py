"""The page of what was forgotten: linked from work that was shared out, to its contributor alone."""

from collections.abc import Callable
from typing import Any

from allauth.account.models import EmailAddress
from django.test import Client

from backend.contributions.adjustment_models import Adjustment
from backend.contributions.models import Contribution
from backend.operations import demo
from tests.contributions.test_adjustments import second_steward
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def test_from_the_page_of_the_work_to_the_difference(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    one, bo = world.contributions[0], sign_in(world.users["bo"])
    address = f"/en/contributions/{one.pk}/correction/"
    assert address in bo.get(f"/en/contributions/{one.pk}/").content.decode()
    blank = bo.get(address)
    form = {
        "form_key": blank.context["form"]["form_key"].value(), "minutes": "1h30", "amount": "20",
        "reason": "The evening of the release.",
    }  # fmt: skip
    for _time in range(2):
        done = bo.post(address, form, follow=True)
    made = Contribution.objects.exclude(corrects=None).get()
    assert done.redirect_chain[-1][0] == f"/en/contributions/{made.pk}/"
    assert "work that was shared out earlier" in text_of(done)
    assert (made.minutes, made.amount) == (90, 20_00)
    other = sign_in(world.users["camille"])
    assert address not in other.get(f"/en/contributions/{one.pk}/").content.decode()
    assert other.get(address).status_code == 403


def test_what_is_wrong_is_said_beside_its_field(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    address = f"/en/contributions/{world.contributions[0].pk}/correction/"
    page = sign_in(world.users["bo"]).post(
        address, {"form_key": "k", "minutes": "soon", "amount": "lots", "reason": ""}
    )
    assert page.status_code == 422
    assert set(page.context["form"].errors) == {"minutes", "amount", "reason"}
    assert not Contribution.objects.exclude(corrects=None).exists()


def test_too_much_is_proposed_by_one_and_decided_by_another(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    second_steward(world)
    world.users["nour"].set_password(demo.PASSWORD)
    world.users["nour"].save()
    EmailAddress.objects.create(user=world.users["nour"], email="nour@example.org", verified=True, primary=True)
    one, sacha = world.contributions[0], sign_in(world.users["sacha"])
    address = f"/en/contributions/{one.pk}/adjustment/"
    assert address in sacha.get(f"/en/contributions/{one.pk}/").content.decode()
    blank = sacha.get(address)
    assert "Who can decide, not being involved: Nour" in text_of(blank)
    form = {"form_key": blank.context["form"]["form_key"].value(), "amount": "10", "reason": "Counted twice."}
    wrong = sacha.post(address, {**form, "amount": "1000"})
    assert wrong.status_code == 422
    assert set(wrong.context["form"].errors) == {"amount"}
    done = sacha.post(address, form, follow=True)
    row = Adjustment.objects.get()
    assert done.redirect_chain[-1][0] == f"/en/adjustments/{row.pk}/"
    assert "Agree: keep it back" not in text_of(done)
    nour = sign_in(world.users["nour"])
    queues = {name: text_of(browser.get("/en/reviews/")) for name, browser in (("sacha", sacha), ("nour", nour))}
    assert "yours: another steward" in queues["sacha"].partition("Corrections of work that was shared")[2]
    assert "to decide" in queues["nour"].partition("Corrections of work that was shared")[2]
    assert nour.post(f"/en/adjustments/{row.pk}/", {"act": "refuse"}).status_code == 422
    assert nour.post(f"/en/adjustments/{row.pk}/", {"act": "dance"}).status_code == 422
    agreed = nour.post(f"/en/adjustments/{row.pk}/", {"act": "agree"}, follow=True)
    assert "The correction is agreed" in text_of(agreed)
    assert "Still to keep back €10.00" in text_of(agreed)
    assert "Too much was given to Bo Nguyen" in text_of(sign_in(world.users["bo"]).get(f"/en/adjustments/{row.pk}/"))
