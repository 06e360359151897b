"""The first run over HTTP: from an empty instance to a first pledge in the books, and everything it refuses."""

import re
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from time import sleep
from typing import Any
from unittest import mock

import pytest
from django.core.cache import cache
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client
from django.utils import timezone

from backend.banking.services import import_statement
from backend.commons.models import Budget, Commons
from backend.commons.services import root_budget
from backend.commons.stewards import grant_in_pot, remove_from_pot
from backend.events.models import Event
from backend.events.services import record
from backend.identity.inviting import SETUP_LIFE, Named, accepted, invitation_token, invite_person, setup_token
from backend.identity.models import Host, HostBankAccount, Offer, Role, User
from backend.identity.organisations import invite_member
from backend.identity.permissions import may
from backend.identity.proposals import decide_treasurer, propose_treasurer
from backend.identity.services import grant_role
from backend.ledger.services import balance
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo
from backend.pledges.models import Pledge
from tests.concurrency import at_once
from tests.web.test_factors import add_application
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
PASSWORD = "une longue phrase sure"
FACTS = {
    "name": "Ada Martin", "email": "ada@asso.example", "password1": PASSWORD, "password2": PASSWORD,
    "host_name": "Association des Communs", "siren": "123 456 782", "time_zone": "Indian/Reunion", "fee": "7,5",
    "fiscal_year": "9",
    "treasurer1_name": "Claire Moreau", "treasurer1_email": "claire@asso.example", "treasurer1_language": "fr",
    "treasurer2_name": "Denis Caron", "treasurer2_email": "denis@asso.example", "treasurer2_language": "en",
}  # fmt: skip
ACCOUNT = {"name": "Compte courant", "iban": demo.HOST_IBAN, "bic": demo.HOST_BIC, "currency": "EUR"}


@pytest.fixture(autouse=True)
def no_memory_of_attempts(request: pytest.FixtureRequest) -> None:
    """Sign-in limits count across the tests of one database otherwise."""
    request.getfixturevalue("committed" if "committed" in request.fixturenames else "db")
    cache.clear()


def address() -> str:
    """What the command prints, as a path."""
    out = StringIO()
    call_command("set_up", stdout=out, stderr=StringIO())
    found = re.fullmatch(r"http://[^/]+(/fr/first/\S+/)\n", out.getvalue())
    assert found is not None
    return found[1].replace("/fr/", "/en/")


def set_up(client: Client, **changes: str) -> Any:
    """Send the first form, then add the second factor that the administrator's role waits for."""
    answer = client.post(address(), {**FACTS, **changes})
    if answer.status_code == 302:
        add_application(client)
    return answer


def link_for(email: str) -> str:
    """The link of the last invitation mailed to an address."""
    compose_due(timezone.now())
    body = OutgoingMail.objects.filter(recipient=email, event__kind="person.invited").order_by("-pk")[0].body
    found = re.search(r"http://[^/]+(/(?:fr|en)/invitations/\S+/)", body)
    assert found is not None
    return found[1]


def accept(email: str) -> Client:
    """Choose a password through the mailed link, in a browser of one's own, and add a second factor."""
    browser = Client()
    answer = browser.post(link_for(email), {"password1": PASSWORD, "password2": PASSWORD, "accept": "on"})
    assert answer.headers["Location"].endswith("/accounts/2fa/"), text_of(answer)
    add_application(browser)
    return browser


def a_commons(client: Client, **changes: str) -> Any:
    """Create a commons from its page."""
    page = client.get("/en/setup/commons/new/")
    key = re.search(r'name="form_key" value="([^"]+)"', page.content.decode())
    facts = {
        "name": "Cartolibre", "summary": "L’atlas libre.", "licence": "AGPL-3.0-or-later", "website": "",
        "currency": "EUR", "first_day": "2026-01-01", "last_day": "2026-12-31", "approvals": "1",
        "steward_name": "Sacha Le Goff", "steward_email": "sacha@asso.example", "steward_language": "fr",
        "form_key": key[1] if key else "", **changes,
    }  # fmt: skip
    return client.post("/en/setup/commons/new/", facts)


def test_from_an_empty_instance_to_a_first_pledge_in_the_books(client: Client) -> None:
    answer = set_up(client)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/en/accounts/2fa/")
    assert 'href="/en/setup/">I have kept them' in client.get("/en/accounts/2fa/recovery-codes/").content.decode()
    host, ada = Host.objects.get(), User.objects.get(email="ada@asso.example")
    assert (host.siren, host.time_zone, host.fee_bp) == ("123456782", "Indian/Reunion", 750)
    assert host.fiscal_year_starts_on == 9
    assert client.session["_auth_user_id"] == ada.pk
    assert accepted(ada)
    page = text_of(client.get("/en/setup/"))
    assert page.count("invited, has not accepted yet") == 2
    # bank account, twice by a double click
    for _click in range(2):
        assert client.post("/en/setup/accounts/new/", ACCOUNT).headers["Location"] == "/en/setup/"
    account = HostBankAccount.objects.get()
    # the two treasurers, each in their language
    claire, denis = accept("claire@asso.example"), accept("denis@asso.example")
    assert "/fr/invitations/" in OutgoingMail.objects.get(recipient="claire@asso.example").body
    assert "/en/invitations/" in OutgoingMail.objects.get(recipient="denis@asso.example").body
    assert "To choose your password" in OutgoingMail.objects.get(recipient="denis@asso.example").body
    assert "each payment takes two treasurers" in text_of(denis.get("/en/welcome/"))
    # a commons with its steward, an envelope
    assert a_commons(client).headers["Location"] == "/en/setup/"
    pot = root_budget(Commons.objects.get())
    assert client.post("/en/setup/commons/cartolibre/envelopes/new/", {"name": "Ateliers"}).status_code == 302
    assert Budget.objects.get(parent=pot).name == "Ateliers"
    sacha = accept("sacha@asso.example")
    assert sacha.get("/en/reviews/").status_code == 200
    assert may(User.objects.get(email="sacha@asso.example"), "contribution.review", scopes=[pot.pk])
    assert "The instance is ready" in text_of(client.get("/en/setup/"))
    # a stranger opens an organisation and pledges; the treasurer imports the statement
    ana = User.objects.create_user("ana@fabrique.example", PASSWORD, name="Ana")
    from allauth.account.models import EmailAddress

    EmailAddress.objects.create(user=ana, email=ana.email, verified=True, primary=True)
    browser = Client()
    browser.post("/en/accounts/login/", {"login": ana.email, "password": PASSWORD})
    browser.post("/en/organisations/new/", {"name": "La Fabrique", "kind": "association", "siren": ""})
    form = browser.get("/en/commons/cartolibre/pledge/").content.decode()
    key = re.search(r'name="form_key" value="([^"]+)"', form)
    assert key is not None
    organisation = Role.objects.get(user=ana).scope
    facts = {
        "organisation": organisation, "amount": "100", "rhythm": "once", "visibility": "visible", "form_key": key[1],
        "confirmed": "1",
    }  # fmt: skip
    assert browser.post("/en/commons/cartolibre/pledge/", facts).status_code == 302
    world = demo.World(now=timezone.now())
    world.account, world.pledge = account, Pledge.objects.get()
    line = (100_00, "LA FABRIQUE", world.pledge.reference, "")
    data = demo.statement_file(world, number=1, opening=0, lines=[line])
    import_statement(
        actor=User.objects.get(email="claire@asso.example"), data=data, accept_gap=False, now=timezone.now()
    )
    demo.sweep(timezone.now())
    assert balance(kind="bank", owner=account.pk, currency="EUR") == 100_00
    assert balance(kind="budget", owner=pot.pk, currency="EUR") == 92_50
    assert "The books have begun." in text_of(claire.get("/en/setup/"))


@pytest.mark.parametrize("language", ["fr", "en"])
def test_until_then_every_page_says_that_the_instance_is_being_set_up(client: Client, language: str) -> None:
    answer = client.get(f"/{language}/")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/{language}/setup/")
    assert client.get("/").headers["Location"].endswith("/")
    for page in ("accounts/signup/", "accounts/login/", "treasury/", "commons/x/", "welcome/", "nowhere/"):
        answer = client.get(f"/{language}/{page}")
        assert answer.status_code == 503, page
        assert "set_up" in text_of(answer)
    assert client.post(f"/{language}/accounts/signup/", {"email": "x@example.org"}).status_code == 503
    assert client.get(f"/{language}/setup/").status_code == 200
    assert User.objects.count() == 0
    assert client.get("/healthz").status_code == 200


WRONG = [
    ({"treasurer2_email": "claire@asso.example"}, "Name two treasurers"),
    ({"treasurer2_email": " CLAIRE@asso.example "}, "Name two treasurers"),
    ({"treasurer1_email": "ADA@asso.example"}, "who gives roles never touches money"),
    ({"siren": "123456789"}, "This is not a valid SIREN"),
    ({"fee": "100,01"}, "between 0 and 10000 basis points"),
    ({"fee": "-1"}, "Write a number such as"),
    ({"time_zone": "Mars/Olympus"}, "Select a valid choice"),
    ({"fiscal_year": "13"}, "Select a valid choice"),
    ({"password1": "short", "password2": "short"}, "at least 15 characters"),
    ({"password2": "une autre longue phrase"}, "The two passwords are different."),
    ({"name": " "}, "This field is required."),
    ({"treasurer1_email": "claire"}, "Enter a valid email address."),
]  # fmt: skip


@pytest.mark.parametrize(("changes", "sentence"), WRONG)
def test_what_is_wrong_is_said_and_makes_nothing(client: Client, changes: dict[str, str], sentence: str) -> None:
    answer = set_up(client, **changes)
    assert answer.status_code == 422
    assert text_of(answer).count(sentence) >= 2  # on top and beside the field
    assert (User.objects.count(), Host.objects.count(), Role.objects.count(), Event.objects.count()) == (0, 0, 0, 0)


def test_the_address_is_good_for_a_day_and_for_one_set_up(client: Client) -> None:
    first, second = address(), address()
    for path in ("/en/first/forged/", first[:-3] + "xx/"):
        assert client.get(path).status_code == 404
        assert client.post(path, FACTS).status_code == 404
    late = timezone.now() + SETUP_LIFE + timedelta(minutes=1)
    with mock.patch("backend.web.setup.timezone.now", return_value=late):
        assert client.get(first).status_code == 404
        assert client.post(first, FACTS).status_code == 404
    assert User.objects.count() == 0
    assert client.get(first).status_code == 200
    assert client.post(second, FACTS).status_code == 302
    stranger = Client()
    other = {**FACTS, "email": "eve@asso.example"}
    login = "/en/accounts/login/?next=%2Fen%2Fsetup%2F"
    assert stranger.get(first).headers["Location"] == login
    # the true password too, as when the same form is sent twice: nobody signs in but where attempts are counted
    for facts in (other, {**FACTS, "password1": "x" * 15, "password2": "x" * 15}, FACTS, {"demo": "1"}):
        assert stranger.post(first, facts).headers["Location"] == login
        assert "its administrator signs in here" in text_of(stranger.get(login))
    for path in ("/en/first/ANYTHING/", first[:-3] + "xx/"):
        assert stranger.get(path).status_code == 404
        assert stranger.post(path, FACTS).status_code == 404
    assert "_auth_user_id" not in stranger.session
    assert not User.objects.filter(email="eve@asso.example").exists()
    with pytest.raises(CommandError, match="its administrator signs in"):
        call_command("set_up")
    # whose first answer was lost signs in and goes on
    facts = {"login": FACTS["email"], "password": PASSWORD, "next": "/en/setup/"}
    assert stranger.post("/en/accounts/login/", facts).headers["Location"] == "/en/setup/"
    add_application(client)
    assert client.get(first).headers["Location"] == "/en/setup/"


def test_the_first_form_wants_its_csrf_token() -> None:
    assert Client(enforce_csrf_checks=True).post(address(), FACTS).status_code == 403
    assert User.objects.count() == 0


def test_two_browsers_at_once_make_one_host(committed: str) -> None:
    path = address()

    def send(number: int) -> str:
        facts = {**FACTS, "email": f"ada{number}@asso.example"} if number % 2 else FACTS
        answer = Client().post(path, facts)
        return str(answer.headers["Location"]).partition("?")[0]

    answers = at_once(send, times=6)
    assert Host.objects.count() == 1
    assert Role.objects.filter(kind="administrator").count() == 1
    assert Role.objects.filter(kind="treasurer").count() == 2
    assert sorted(answers) == ["/en/accounts/2fa/"] + ["/en/accounts/login/"] * 5


def test_a_host_without_administrator_gets_one(play: Play, client: Client) -> None:
    world = play("make_house")
    path = address()
    assert "Two treasurers" not in text_of(client.get(path))
    facts = {name: FACTS[name] for name in ("name", "email", "password1", "password2")}
    answer = client.post(
        path, {**facts, "email": "claire@example.org", "password1": demo.PASSWORD, "password2": demo.PASSWORD}
    )
    assert "who gives roles never touches money" in text_of(answer)
    answer = client.post(path, {**facts, "email": "ana@example.org"})
    assert "This address has an account already" in text_of(answer)
    assert not Role.objects.filter(kind="administrator").exists()
    assert client.post(path, facts).headers["Location"] == "/en/accounts/2fa/"
    refused = client.get("/en/setup/")
    assert (refused.status_code, "Add a second factor" in text_of(refused)) == (403, True)
    add_application(client)
    assert Role.objects.get(kind="administrator").scope == world.host.pk
    assert client.get("/en/setup/").status_code == 200


def test_an_invitation_is_used_once_and_ends_after_a_week(client: Client) -> None:
    set_up(client)
    link = link_for("denis@asso.example")
    denis = User.objects.get(email="denis@asso.example")
    assert not accepted(denis)
    facts = {"password1": PASSWORD, "password2": PASSWORD, "accept": "on"}
    browser = Client()
    late = timezone.now() + timedelta(days=7, minutes=1)
    with mock.patch("backend.web.setup.timezone.now", return_value=late):
        assert browser.post(link, facts).status_code == 404
    assert "at least 15 characters" in text_of(browser.post(link, {**facts, "password1": "a", "password2": "a"}))
    assert Client(enforce_csrf_checks=True).post(link, facts).status_code == 403
    denis.refresh_from_db()
    assert not denis.has_usable_password()
    assert browser.post(link, facts).status_code == 302
    again = Client()
    for answer in (again.get(link), again.post(link, {"password1": "x" * 20, "password2": "x" * 20})):
        assert answer.status_code == 404
        assert "This link no longer works" in text_of(answer)
    denis.refresh_from_db()
    assert denis.check_password(PASSWORD)
    assert accepted(denis)
    assert Event.objects.filter(kind="invitation.accepted").count() == 1
    assert again.get("/en/invitations/forged/").status_code == 404


def test_an_invitation_is_sent_again_shown_or_passed_on(client: Client) -> None:
    set_up(client)
    claire = User.objects.get(email="claire@asso.example")
    page = f"/en/setup/people/{claire.pk}/"
    for _click in range(2):
        assert client.post(page, {"act": "resend"}).status_code == 302
    assert Event.objects.filter(kind="person.invited", subject=claire.pk).count() == 1  # the first is a second old
    later = timezone.now() + timedelta(minutes=2)
    with mock.patch("backend.web.setup.timezone.now", return_value=later):
        client.post(page, {"act": "resend"})
    assert Event.objects.filter(kind="person.invited", subject=claire.pk).count() == 2
    assert client.post(page, {"act": "link"}).status_code == 409
    assert not Event.objects.filter(kind="invitation.shown").exists()
    facts = {"act": "replace", "name": "Dominique", "email": "denis@asso.example", "language": "fr"}
    assert "has the role already" in text_of(client.post(page, facts))
    assert "never touches money" in text_of(client.post(page, {**facts, "email": "ada@asso.example"}))
    assert Role.objects.filter(user=claire, kind="treasurer").exists()
    assert client.post(page, {**facts, "email": "dominique@asso.example"}).status_code == 302
    assert not Role.objects.filter(user=claire).exists()
    assert set(Role.objects.filter(kind="treasurer").values_list("user__email", flat=True)) == {
        "denis@asso.example", "dominique@asso.example",
    }  # fmt: skip
    assert client.get(page).status_code == 404
    accept("dominique@asso.example")
    taken = User.objects.get(email="dominique@asso.example")
    assert client.post(f"/en/setup/people/{taken.pk}/", {"act": "link"}).status_code == 404


def test_somebody_known_is_told_and_an_unconfirmed_account_is_not_trusted(play: Play, client: Client) -> None:
    world = play("make_house")
    squatter = User.objects.create_user("steward@example.org", "a password of somebody", name="Eve")
    client.post(address(), {name: FACTS[name] for name in ("name", "email", "password1", "password2")})
    add_application(client)
    a_commons(client, name="Un autre", steward_email="BO@example.org", steward_name="Bo")
    a_commons(client, name="Un tiers", steward_email="steward@example.org", steward_name="Steward")
    compose_due(timezone.now())
    told = OutgoingMail.objects.filter(event__kind="person.invited")
    known = told.get(recipient="bo@example.org")
    assert "/invitations/" not in known.body
    assert f"/{world.users['bo'].language}/welcome/" in known.body
    assert "/invitations/" in told.get(recipient="steward@example.org").body
    squatter.refresh_from_db()
    assert not squatter.has_usable_password()
    page = text_of(client.get("/en/setup/"))
    assert "Bo Nguyen accepted" in page
    assert User.objects.get(email="bo@example.org").check_password(demo.PASSWORD)


def test_who_may_set_up_what(play: Play, sign_in: SignIn, client: Client) -> None:
    world = play("make_house")
    person = User.objects.create_user("late@example.org", name="Late")
    for key, status in (("ana", 403), ("bo", 403), ("sacha", 403), ("claire", 200)):
        browser = sign_in(world.users[key])
        assert browser.get("/en/setup/").status_code == status, key
        for page in ("accounts/new/", "commons/new/", "commons/cartolibre/envelopes/new/", f"people/{person.pk}/"):
            assert browser.get(f"/en/setup/{page}").status_code == 403, (key, page)
            assert browser.post(f"/en/setup/{page}", ACCOUNT).status_code == 403, (key, page)
    assert client.get("/en/setup/").status_code == 302
    assert HostBankAccount.objects.count() == 1


def test_bank_accounts_are_checked_and_close_with_the_first_money(play: Play, client: Client) -> None:
    play("receive")
    client.post(address(), {name: FACTS[name] for name in ("name", "email", "password1", "password2")})
    add_application(client)
    answer = client.post("/en/setup/accounts/new/", {**ACCOUNT, "iban": "DE89370400440532013000"})
    assert answer.status_code == 409
    assert "a bank account is proposed by one person and accepted by another" in text_of(answer)
    assert HostBankAccount.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"iban": "FR7630006000011234567890188"}, "not a valid IBAN"),
        ({"bic": "XX"}, "not a valid BIC"),
        ({"currency": "ZZZ"}, "Select a valid choice"),
        ({"name": ""}, "This field is required."),
    ],
)
def test_a_wrong_account_is_refused(client: Client, changes: dict[str, str], sentence: str) -> None:
    set_up(client)
    answer = client.post("/en/setup/accounts/new/", {**ACCOUNT, **changes})
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert not HostBankAccount.objects.exists()
    client.post("/en/setup/accounts/new/", ACCOUNT)
    assert "registered already" in text_of(client.post("/en/setup/accounts/new/", {**ACCOUNT, "name": "Autre"}))


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"last_day": "2025-12-31"}, "The last day comes after the first one"),
        ({"approvals": "0"}, "greater than or equal to 1"),
        ({"name": "!!!"}, "Choose another name"),
        ({"steward_email": "x"}, "Enter a valid email address."),
    ],
)
def test_a_wrong_commons_is_refused(client: Client, changes: dict[str, str], sentence: str) -> None:
    set_up(client)
    assert client.get("/en/setup/commons/new/").headers["Location"] == "/en/setup/"  # an account comes first
    client.post("/en/setup/accounts/new/", ACCOUNT)
    before = User.objects.count()
    answer = a_commons(client, **changes)
    assert answer.status_code == 422
    assert sentence in text_of(answer)
    assert (Commons.objects.count(), User.objects.count()) == (0, before)


def test_a_commons_sent_twice_is_one(client: Client) -> None:
    set_up(client)
    client.post("/en/setup/accounts/new/", ACCOUNT)
    for _click in range(2):
        assert a_commons(client, form_key="the-same").headers["Location"] == "/en/setup/"
    assert Commons.objects.count() == 1
    assert a_commons(client, form_key="another").status_code == 422


def test_the_demonstration_is_offered_where_it_is_allowed(client: Client, settings: Any) -> None:
    settings.DEMO = False
    path = address()
    assert "Load the demonstration" not in text_of(client.get(path))
    assert client.post(path, {"demo": "1"}).status_code == 404
    settings.DEMO = True
    assert "Load the demonstration" in text_of(client.get(path))
    with mock.patch("backend.operations.demonstration.load") as load:
        assert client.post("/en/first/forged/", {"demo": "1"}).status_code == 404
        load.assert_not_called()
        assert client.post(path, {"demo": "1"}).status_code == 302
        load.assert_called_once()


def test_where_a_host_stands_the_demonstration_is_not_said_to_be_loaded(
    play: Play, client: Client, settings: Any
) -> None:
    settings.DEMO = True
    play("make_house")
    people = User.objects.count()
    answer = client.post(address(), {"demo": "1"}, follow=True)
    assert answer.status_code == 409
    assert "the demonstration was not loaded" in text_of(answer)
    assert "The demonstration is loaded" not in text_of(client.get("/en/"))
    assert User.objects.count() == people


def test_the_administrator_is_no_steward(client: Client) -> None:
    set_up(client)
    client.post("/en/setup/accounts/new/", ACCOUNT)
    events = Event.objects.count()
    answer = a_commons(client, steward_email="ADA@asso.example")
    assert answer.status_code == 422
    assert text_of(answer).count("who gives roles never touches money") == 2
    assert (Commons.objects.count(), Event.objects.count()) == (0, events)
    assert a_commons(client).status_code == 302
    sacha = User.objects.get(email="sacha@asso.example")
    facts = {"act": "replace", "name": "Ada", "email": "ada@asso.example", "language": "fr"}
    assert "never touches money" in text_of(client.post(f"/en/setup/people/{sacha.pk}/", facts))
    assert not Role.objects.filter(kind="steward").exclude(user=sacha).exists()


def test_a_steward_is_not_made_the_administrator(play: Play, client: Client) -> None:
    play("make_house")
    facts = {name: FACTS[name] for name in ("name", "email")}
    words = {"password1": demo.PASSWORD, "password2": demo.PASSWORD}
    answer = client.post(address(), {**facts, **words, "email": "sacha@example.org"})
    assert "who gives roles never touches money" in text_of(answer)
    assert not Role.objects.filter(kind="administrator").exists()


def show(client: Client, person: User) -> Any:
    """Ask to see somebody's link."""
    return client.post(f"/en/setup/people/{person.pk}/", {"act": "link"})


def invited(client: Client, key: str) -> User:
    """Somebody who was invited at the association."""
    return User.objects.get(email=f"{key}@asso.example")


def test_a_stewards_link_is_shown_and_told(client: Client) -> None:
    set_up(client)
    client.post("/en/setup/accounts/new/", ACCOUNT)
    a_commons(client)
    sacha = invited(client, "sacha")
    for _again in range(2):  # the same one again
        answer = show(client, sacha)
        link = re.search(r"http://[^/]+(/fr/invitations/[^/<]+/)", answer.content.decode())
        assert link is not None
    assert Client().get(link[1]).status_code == 200
    assert Event.objects.filter(kind="invitation.shown", subject=sacha.pk, actor__email=FACTS["email"]).count() == 2
    compose_due(timezone.now())
    told = OutgoingMail.objects.filter(event__kind="invitation.shown")
    people = [sacha.email, FACTS["treasurer1_email"], FACTS["treasurer2_email"]]
    assert sorted(told.values_list("recipient", flat=True)) == sorted(people * 2)
    letter = told.filter(recipient="denis@asso.example")[0]
    assert "Whoever opens it chooses the password of Sacha Le Goff" in letter.body


def test_a_treasurers_link_is_never_shown_nor_is_who_came_by_one_named(client: Client) -> None:
    set_up(client)
    client.post("/en/setup/accounts/new/", ACCOUNT)
    a_commons(client)
    denis, sacha = invited(client, "denis"), invited(client, "sacha")
    answer = show(client, denis)
    assert answer.status_code == 409
    assert "This invitation goes by mail alone" in text_of(answer)
    assert "/invitations/" not in answer.content.decode()
    assert not Event.objects.filter(kind="invitation.shown").exists()
    assert "Show the link" not in text_of(client.get(f"/en/setup/people/{denis.pk}/"))
    # nor by the way round: a steward's link is shown, then the steward is named in place of a treasurer
    assert show(client, sacha).status_code == 200
    facts = {"act": "replace", "name": "Sacha", "email": sacha.email, "language": "fr"}
    answer = client.post(f"/en/setup/people/{denis.pk}/", facts)
    assert answer.status_code == 409
    assert "An administrator read the link" in text_of(answer)
    assert set(Role.objects.filter(kind="treasurer").values_list("user__email", flat=True)) == {
        "claire@asso.example", "denis@asso.example",
    }  # fmt: skip
    accept("denis@asso.example")


def test_once_a_treasurer_came_no_other_is_put_in_place_by_one_person(client: Client) -> None:
    set_up(client)
    accept("denis@asso.example")
    claire = invited(client, "claire")
    facts = {"act": "replace", "name": "Ada", "email": "ada.bis@asso.example", "language": "fr"}
    answer = client.post(f"/en/setup/people/{claire.pk}/", facts)
    assert answer.status_code == 409
    assert "A treasurer is named by two people" in text_of(answer)
    assert Role.objects.filter(user=claire, kind="treasurer").exists()
    assert not User.objects.filter(email="ada.bis@asso.example").exists()
    later = timezone.now() + timedelta(minutes=2)
    with mock.patch("backend.web.setup.timezone.now", return_value=later):
        assert client.post(f"/en/setup/people/{claire.pk}/", {"act": "resend"}).status_code == 302


def test_a_treasurer_who_came_by_a_proposal_is_not_put_in_place_by_one_person(play: Play, client: Client) -> None:
    play("make_house")
    client.post(address(), {name: FACTS[name] for name in ("name", "email", "password1", "password2")})
    add_application(client)
    ada, now = User.objects.get(email=FACTS["email"]), timezone.now()
    Role.objects.filter(kind="treasurer").delete()
    paul = User.objects.create_user("paul@example.org", demo.PASSWORD, name="Paul")
    grant_role(user=paul, kind="administrator", scope=Host.objects.get().pk, granted_by=ada, now=now)
    demo.give_factor(paul)
    made = propose_treasurer(actor=ada, who=Named("Zoé", "zoe@asso.example"), reason="x", now=now)
    decide_treasurer(actor=paul, proposal_id=made.pk, accept=True, digest=made.digest, now=now)
    zoe = invited(client, "zoe")
    facts = {"act": "replace", "name": "Ada", "email": "ada.bis@asso.example", "language": "fr"}
    answer = client.post(f"/en/setup/people/{zoe.pk}/", facts)
    assert answer.status_code == 409
    assert "A treasurer is named by two people" in text_of(answer)
    assert show(client, zoe).status_code == 409
    assert list(Role.objects.filter(kind="treasurer").values_list("user", flat=True)) == [zoe.pk]


def test_an_organisations_invitation_is_not_the_administrators(play: Play, client: Client) -> None:
    world = play("make_house")
    client.post(address(), {name: FACTS[name] for name in ("name", "email", "password1", "password2")})
    add_application(client)
    organisation = world.organisation
    zoe = invite_member(
        actor=world.users["ana"], organisation_id=organisation.pk, who=Named("Zoé", "zoe@asso.example"),
        kind="organisation_member", now=timezone.now(),
    )  # fmt: skip
    page, later = f"/en/setup/people/{zoe.pk}/", timezone.now() + timedelta(minutes=2)
    facts = {"name": "Ada", "email": "ada.bis@asso.example", "language": "fr"}
    events = Event.objects.exclude(kind="act.refused").count()
    with mock.patch("backend.web.setup.timezone.now", return_value=later):
        assert client.get(page).status_code == 404
        for act in ({"act": "link"}, {"act": "resend"}, {"act": "replace", **facts}):
            assert client.post(page, act).status_code == 404, act
    assert Event.objects.exclude(kind="act.refused").count() == events
    # with a role in a pot too: that one alone is the administrator's to send again or pass on, and no link is shown
    Role.objects.filter(user=world.users["sacha"], kind="steward").delete()
    grant_role(user=zoe, kind="steward", scope=world.budget.pk, granted_by=None, now=timezone.now())
    assert show(client, zoe).status_code == 409
    Offer.objects.all().delete()
    grant_role(user=zoe, kind="organisation_manager", scope=organisation.pk, granted_by=None, now=timezone.now())
    assert show(client, zoe).status_code == 409
    with mock.patch("backend.web.setup.timezone.now", return_value=later):
        assert client.post(page, {"act": "resend"}).status_code == 302
    assert [fact.scopes for fact in Event.objects.filter(kind="person.invited", subject=zoe.pk)] == [[world.budget.pk]]
    assert client.post(page, {"act": "replace", **facts}).status_code == 302
    assert list(Role.objects.filter(user=zoe).values_list("scope", flat=True)) == [organisation.pk]
    assert list(Role.objects.filter(user__email=facts["email"]).values_list("kind", flat=True)) == ["steward"]


def test_one_steward_of_a_pot_at_most_is_the_administrators_to_hold(play: Play, client: Client) -> None:
    world = play("make_house")
    client.post(address(), {name: FACTS[name] for name in ("name", "email", "password1", "password2")})
    add_application(client)
    one, two = (
        invite_person(
            actor=User.objects.get(email=FACTS["email"]), who=Named(key, f"{key}@asso.example"), kind="steward",
            scope=world.budget.pk, now=timezone.now(),
        )
        for key in ("one", "two")
    )  # fmt: skip
    facts = {"act": "replace", "name": "Ada", "email": "ada.bis@asso.example", "language": "fr"}
    assert show(client, one).status_code == 409  # Sacha is there
    assert client.post(f"/en/setup/people/{one.pk}/", facts).status_code == 409
    assert Role.objects.filter(user=one, kind="steward").exists()
    Role.objects.filter(user=world.users["sacha"], kind="steward").delete()
    assert show(client, one).status_code == 200
    assert show(client, two).status_code == 409


def test_who_removed_the_last_steward_does_not_hold_the_next(play: Play, client: Client) -> None:
    world = play("make_house")
    client.post(address(), {name: FACTS[name] for name in ("name", "email", "password1", "password2")})
    add_application(client)
    ada, now = User.objects.get(email=FACTS["email"]), timezone.now()
    pot = {"kind": "steward", "budget_id": world.budget.pk, "reason": "x", "now": now}
    remove_from_pot(actor=ada, person_id=world.users["sacha"].pk, **pot)
    zoe = grant_in_pot(actor=world.users["claire"], who=Named("Zoé", "zoe@asso.example"), **pot)
    assert show(client, zoe).status_code == 409
    facts = {"act": "replace", "name": "Ada", "email": "ada.bis@asso.example", "language": "fr"}
    assert client.post(f"/en/setup/people/{zoe.pk}/", facts).status_code == 409
    assert Role.objects.filter(user=zoe, kind="steward").exists()


def test_two_stewards_links_are_not_shown_at_once(committed: str) -> None:
    browser = Client()
    set_up(browser)
    browser.post("/en/setup/accounts/new/", ACCOUNT)
    a_commons(browser)
    pot = root_budget(Commons.objects.get())
    ada = User.objects.get(email=FACTS["email"])
    invite_person(actor=ada, who=Named("Zoé", "zoe@asso.example"), kind="steward", scope=pot.pk, now=timezone.now())
    people = list(Role.objects.filter(kind="steward").values_list("user", flat=True))

    def ask(number: int) -> int:
        mine = Client()
        mine.cookies = browser.cookies
        return mine.post(f"/en/setup/people/{people[number % 2]}/", {"act": "link"}).status_code

    def late(*facts: Any, **more: Any) -> Any:
        sleep(0.2)  # between what was looked at and what is written
        return record(*facts, **more)

    with mock.patch("backend.identity.waiting.record", late):
        answers = at_once(ask, times=4)
    assert sorted(answers) == [200, 200, 409, 409]
    assert Event.objects.filter(kind="invitation.shown").values("subject").distinct().count() == 1


@pytest.fixture(autouse=True)
def loopback(settings: Any) -> None:
    """Addresses as the tests read them."""
    settings.BASE_URL = "http://localhost:8000"


def test_tokens_are_of_their_kind(client: Client) -> None:
    token = setup_token(now=timezone.now())
    set_up(client)
    person = User.objects.get(email="claire@asso.example")
    assert client.get(f"/en/invitations/{token}/").status_code == 404
    stranger = Client()
    assert stranger.get(f"/en/first/{invitation_token(person, now=timezone.now())}/").status_code == 404
