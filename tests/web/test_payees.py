"""The pages of payees and of the directors of the host."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from django.test import Client
from django.utils import timezone

from backend.distributions.models import Share
from backend.identity.services import host_day
from backend.operations import demo
from backend.payees.blocking import block_token
from backend.payees.details import details_of
from backend.payees.models import Director, DirectorLimit, Payee
from backend.payees.services import hindrance, open_iban
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Any]
COOP = {
    "kind": "cooperative", "legal_name": "Coop des Prés", "siren": "404 833 048", "vat_status": "liable",
    "vat_number": "FR83404833048", "lines": "3 rue Verte", "postal_code": "69001", "city": "Lyon", "country": "FR",
}  # fmt: skip


def test_a_payee_is_added_given_an_account_chosen_and_the_first_one_closed(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser, bo = sign_in(world.users["bo"]), world.users["bo"]
    first = Payee.objects.get(user=bo)
    answer = browser.post("/en/payees/new/", COOP)
    made = Payee.objects.get(user=bo, is_default=False)
    assert answer.headers["Location"] == f"/en/payees/{made.pk}/account/"
    assert "Where Coop des Prés is paid" in text_of(browser.get(answer.headers["Location"]))
    browser.post(answer.headers["Location"], {"name": "COOP DES PRES", "iban": "NL91 ABNA 0417 1643 00"})
    made.refresh_from_db()
    assert open_iban(made) == "NL91ABNA0417164300"
    assert hindrance(made, timezone.now()) == "account_on_hold"
    page = text_of(browser.get("/en/payees/"))
    assert "NL91 •••• 4300" in page
    assert "nothing leaves for it before" in page
    assert "404 833 048" in page
    assert browser.get(f"/en/payees/{made.pk}/default/").status_code == 200
    assert browser.post(f"/en/payees/{made.pk}/default/").headers["Location"] == "/en/payees/"
    assert list(Payee.objects.filter(user=bo, is_default=True)) == [made]
    assert browser.get(f"/en/payees/{first.pk}/close/").status_code == 200
    browser.post(f"/en/payees/{first.pk}/close/")
    assert "Closed" in text_of(browser.get("/en/payees/"))
    for path in ("", "account/", "default/", "close/"):
        assert browser.get(f"/en/payees/{first.pk}/{path}").status_code == 404


def test_what_is_wrong_stands_beside_its_field_and_nothing_is_kept(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["bo"])
    for changed, said in (
        ({"siren": ""}, "Give its SIREN: nine figures."),
        ({"vat_number": ""}, "Who is liable for VAT gives its VAT number"),
        ({"city": ""}, "An address has its lines"),
    ):
        answer = browser.post("/en/payees/new/", {**COOP, **changed})
        assert answer.status_code == 422
        assert said in text_of(answer)
    assert Payee.objects.filter(user=world.users["bo"]).count() == 1
    payee = Payee.objects.get(user=world.users["bo"])
    page = browser.get(f"/en/payees/{payee.pk}/")
    assert page.status_code == 200
    assert browser.post(f"/en/payees/{payee.pk}/", COOP).headers["Location"] == "/en/payees/"
    payee.refresh_from_db()
    assert (payee.siren, details_of(payee).address.city) == ("404833048", "Lyon")


def test_another_payee_is_chosen_on_the_page_of_a_share(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    browser, bo = sign_in(world.users["bo"]), world.users["bo"]
    browser.post("/en/payees/new/", COOP)
    made = Payee.objects.get(user=bo, is_default=False)
    share = Share.objects.get(contributor=bo)
    page = text_of(browser.get(f"/en/shares/{share.pk}/"))
    assert "Who is paid: Bo Nguyen (person)." in page
    assert "Coop des Prés (cooperative)" in text_of(browser.get(f"/en/shares/{share.pk}/payee/"))
    other = Payee.objects.get(user=world.users["camille"])
    assert browser.post(f"/en/shares/{share.pk}/payee/", {"payee": other.pk}).status_code == 422
    browser.post(f"/en/shares/{share.pk}/payee/", {"payee": made.pk})
    share.refresh_from_db()
    assert share.payee == made
    assert "Who is paid: Coop des Prés (cooperative)." in text_of(browser.get(f"/en/shares/{share.pk}/"))


def test_whoever_reads_the_mail_stops_payments_once_confirmed(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    payee = Payee.objects.get(user=world.users["bo"])
    path = f"/en/payees/block/{block_token(payee.pk, now=timezone.now())}/"
    page = Client().get(path)
    assert "Stop payments on this account?" in text_of(page)
    assert "FR14 •••• 2606" in text_of(page)
    payee.refresh_from_db()
    assert payee.blocked_at is None  # a mail program that looks at links stops nothing
    assert "Payments are stopped" in text_of(Client().post(path))
    payee.refresh_from_db()
    assert payee.blocked_at is not None
    assert Client().get("/en/payees/block/nonsense/").status_code == 404
    browser = sign_in(world.users["bo"])
    assert "blocked" in text_of(browser.get("/en/payees/"))
    browser.post("/en/work/account/", {"name": payee.name, "iban": demo.IBANS["bo"]})
    payee.refresh_from_db()
    assert (payee.blocked_at, hindrance(payee, timezone.now())) == (None, "account_on_hold")


def test_directors_are_noted_and_their_months_shown(play: Play, sign_in: SignIn) -> None:
    world = play("pay")
    browser, today = sign_in(world.users["claire"]), host_day(timezone.now())
    assert "€1,325.19 a month" in text_of(browser.get("/en/directors/"))
    sent = {"email": "bo@example.org", "starts_on": (today - timedelta(days=1)).isoformat()}
    assert browser.post("/en/directors/", sent).headers["Location"] == "/en/directors/"
    assert browser.post("/en/directors/", sent).status_code == 409
    page = text_of(browser.get("/en/directors/"))
    assert "€57.00" in page
    assert "within the limit" in page
    limit = {"amount": "50", "starts_on": today.replace(day=1).isoformat(), "source": "Décret"}
    browser.post("/en/directors/limit/", limit)
    assert DirectorLimit.objects.get().amount == 50_00
    assert "€7.00 too much" in text_of(browser.get("/en/directors/"))
    row = Director.objects.get()
    assert browser.post(f"/en/directors/{row.pk}/end/", {"ends_before": "2000-01-01"}).status_code == 422
    browser.post(f"/en/directors/{row.pk}/end/", {"ends_before": today.isoformat()})
    assert Director.objects.get().ends_before == today
    assert sign_in(world.users["bo"]).get("/en/directors/").status_code == 403


def test_a_director_reads_the_warning_on_their_share(play: Play, sign_in: SignIn) -> None:
    world = play("approve_distribution")
    browser, today = sign_in(world.users["claire"]), host_day(timezone.now())
    browser.post("/en/directors/", {"email": "bo@example.org", "starts_on": today.isoformat()})
    browser.post(
        "/en/directors/limit/", {"amount": "50", "starts_on": today.replace(day=1).isoformat(), "source": "Décret"}
    )
    path = f"/en/shares/{Share.objects.get(contributor=world.users['bo']).pk}/"
    for who in ("bo", "denis"):
        assert "€7.00 too much" in text_of(sign_in(world.users[who]).get(path))
    assert "too much" not in text_of(sign_in(world.users["sacha"]).get(path))
