"""The pages of a contributor: work is declared once, read by its budget, withdrawn by its author alone."""

import re
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backend.contributions.models import Contribution
from backend.contributions.services import declare, review
from backend.core.durations import parse_duration
from backend.core.errors import Invalid
from backend.distributions.models import Share
from backend.identity.models import ApiToken
from backend.identity.services import grant_role, host_day
from backend.identity.tokens import token_owner
from backend.ledger.services import entry_count
from backend.payees.models import Payee
from backend.payees.services import open_iban
from tests.rights.world import person
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]
DECLARE = "/en/work/declare/"


def facts(world: Any, **changes: str) -> dict[str, str]:
    """What the declaration form sends, with some values changed."""
    today = host_day(world.now).isoformat()
    return {
        "budget": world.budget.pk, "worked_on": today, "kind": "development", "minutes": "1h30", "amount": "45,00",
        "description": "Fixed the export", "evidence": "https://example.org/1\n\nhttp://example.org/2",
        "form_key": "k-1", **changes,
    }  # fmt: skip


def grow_old(browser: Client) -> None:
    """Make the password of a session ten minutes old."""
    session = browser.session
    for record in session["account_authentication_methods"]:
        record["at"] = time.time() - 600
    session.save()


@pytest.mark.parametrize(
    ("typed", "minutes"),
    [
        ("90", 90), ("1h30", 90), ("1:30", 90), ("1 h 30", 90), ("1H30", 90), ("2h", 120), ("2 h", 120), ("0:05", 5),
        ("90 min", 90), ("1h05min", 65), ("1\u00a0h\u202f30", 90), ("", 0), ("0", 0), ("100h", 6000),
    ],
)  # fmt: skip
def test_durations_are_read_as_people_write_them(typed: str, minutes: int) -> None:
    assert parse_duration(typed) == minutes


@pytest.mark.parametrize(
    "typed", ["1h60", "1:3", "1:", "h30", "-5", "1.5", "1,5h", "1e3", "١٢", "1h30h", "999999", "NaN"]
)
def test_other_durations_are_refused_with_the_three_ways(typed: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_duration(typed)
    assert refusal.value.code == "duration_unreadable"
    assert "90, 1h30 or 1:30" in str(refusal.value)


def test_declaring_keeps_what_was_typed_and_moves_no_money(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    before = entry_count()
    browser = sign_in(world.users["bo"])
    answer = browser.post(DECLARE, facts(world))
    contribution = Contribution.objects.get()
    assert (answer.status_code, answer.headers["Location"]) == (302, f"/en/contributions/{contribution.pk}/")
    assert (contribution.minutes, contribution.amount, contribution.currency) == (90, 45_00, "EUR")
    assert contribution.evidence == ["https://example.org/1", "http://example.org/2"]
    assert (contribution.state, contribution.contributor) == ("declared", world.users["bo"])
    assert entry_count() == before
    page = browser.get(answer.headers["Location"])
    assert "It now awaits its review; no money moved." in text_of(page)
    assert 'href="https://example.org/1" rel="nofollow ugc noopener"' in page.content.decode()


def test_the_same_form_twice_declares_once_and_other_values_with_its_key_are_refused(
    play: Play, sign_in: SignIn
) -> None:
    world = play("receive")
    browser = sign_in(world.users["bo"])
    first = browser.post(DECLARE, facts(world))
    assert browser.post(DECLARE, facts(world)).headers["Location"] == first.headers["Location"]
    other = browser.post(DECLARE, facts(world, amount="46"))
    assert other.status_code == 409
    assert "already sent with other values" in text_of(other)
    assert Contribution.objects.get().amount == 45_00


def test_zero_is_volunteering(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    browser = sign_in(world.users["bo"])
    for key, amount in (("k-1", ""), ("k-2", "0"), ("k-3", "0,00")):
        sent = facts(world, amount=amount, form_key=key, description=f"Help {key}")
        assert browser.post(DECLARE, sent).status_code == 302
    assert list(Contribution.objects.values_list("amount", flat=True)) == [0, 0, 0]
    assert "volunteer" in text_of(browser.get("/en/work/"))


@pytest.mark.parametrize(
    ("field", "typed", "sentence"),
    [
        ("minutes", "1h75", "Write the duration in minutes"),
        ("minutes", "99999", "from 0 to 44640"),
        ("amount", "1e3", "Write the amount in figures"),
        ("amount", "-5", "Write the amount in figures"),
        ("amount", "NaN", "Write the amount in figures"),
        ("amount", "9223372036854775808", "The amount must be zero or more"),
        ("kind", "juggling", "Choose a kind of work from the list"),
        ("description", "", "Describe the work in 1 to 500 characters"),
        ("description", "x" * 501, "Describe the work in 1 to 500 characters"),
        ("evidence", "javascript:alert(1)", "Evidence is given as http or https links"),
        ("evidence", "\n".join(["https://example.org/"] * 11), "Give at most 10 links"),
        ("worked_on", "yesterday", "Write the day as"),
        ("worked_on", "2001-01-01", "No open period reaches this day"),
        ("budget", "bud_nothing", "Choose one of your budgets"),
    ],
)
def test_each_mistake_is_named_beside_its_field_and_what_was_typed_is_kept(
    play: Play, sign_in: SignIn, field: str, typed: str, sentence: str
) -> None:
    world = play("receive")
    answer = sign_in(world.users["bo"]).post(DECLARE, facts(world, **{field: typed}))
    assert answer.status_code == 422
    page = answer.content.decode()
    assert sentence in page.partition(f'id="id_{field}_error"')[2][:400], page
    assert 'value="Fixed the export"' in page or field == "description"
    assert Contribution.objects.count() == 0


def test_a_day_in_the_future_is_refused(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    tomorrow = (host_day(world.now) + timedelta(days=1)).isoformat()
    answer = sign_in(world.users["bo"]).post(DECLARE, facts(world, worked_on=tomorrow))
    assert answer.status_code == 422
    assert "The day of the work cannot be in the future." in text_of(answer)
    assert Contribution.objects.count() == 0


def test_who_works_nowhere_finds_no_form_and_cannot_declare(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    browser = sign_in(world.users["ana"])
    page = browser.get(DECLARE)
    assert "You are not a contributor of any budget at present." in text_of(page)
    assert b'name="description"' not in page.content
    assert browser.post(DECLARE, facts(world)).status_code == 422
    assert Contribution.objects.count() == 0


def test_the_form_shows_the_charter_and_offers_one_s_budgets_and_today(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    answer = sign_in(world.users["bo"]).get(DECLARE)
    text = text_of(answer)
    assert "Each contribution is validated by 1 steward, never one’s own. If the pot does not suffice" in text
    assert f'value="{host_day(timezone.now()).isoformat()}"' in answer.content.decode()
    assert re.findall(r'<option value="(bud_[^"]+)"', answer.content.decode()) == [world.budget.pk]
    assert answer.headers["Cache-Control"].find("no-store") >= 0


def test_the_list_shows_states_totals_and_shares(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    browser = sign_in(world.users["bo"])
    text = text_of(browser.get("/en/work/"))
    assert "Total, without what was withdrawn or rejected 3 h €60.00 €57.00" in text
    assert "shared 3 h €60.00 €57.00" in text
    assert "paid €60.00 €57.00" in text
    assert "Account FR14 •••• 2606" in text
    assert "FR1420041010050500013M02606" not in text
    assert "documentation" not in text
    assert "Travail" not in text_of(browser.get("/en/work/?state=nonsense"))


def test_only_the_people_of_the_budget_read_a_contribution(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    path = f"/en/contributions/{world.contributions[0].pk}/"
    seen = {name: sign_in(user).get(path).status_code for name, user in world.users.items()}
    assert seen == {"claire": 200, "denis": 200, "ana": 404, "sacha": 200, "bo": 200, "camille": 200}
    assert Client().get(path).status_code == 302


def test_withdrawing_is_confirmed_and_twice_is_once(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    mine = world.contributions[0]
    path = f"/en/contributions/{mine.pk}/withdraw/"
    browser = sign_in(world.users["bo"])
    assert "No money moves." in text_of(browser.get(path))
    mine.refresh_from_db()
    assert mine.state == "validated"
    for _time in range(2):
        assert browser.post(path).status_code == 302
        mine.refresh_from_db()
        assert mine.state == "withdrawn"


def test_nobody_withdraws_the_work_of_another_nor_what_is_in_a_distribution(play: Play, sign_in: SignIn) -> None:
    world = play("close")
    mine = world.contributions[0]
    path = f"/en/contributions/{mine.pk}/withdraw/"
    assert sign_in(world.users["camille"]).post(path).status_code == 404
    refused = sign_in(world.users["bo"]).post(path)
    assert refused.status_code == 409
    assert "for this it must be" in text_of(refused)
    mine.refresh_from_db()
    assert mine.state == "included"


def test_a_share_tells_its_computation_in_words(play: Play, sign_in: SignIn) -> None:
    world = play("settle")
    share = Share.objects.get(contributor=world.users["bo"])
    text = text_of(sign_in(world.users["bo"]).get(f"/en/shares/{share.pk}/"))
    assert "You asked for €60.00." in text
    assert "each receives 95%. 60.00 × 95.00 ÷ 100.00 = 57.00." in text
    assert "The other 3.00 of your request ends here: this charter does not carry it over." in text
    assert "Paid: the bank shows the transfer to FR14 •••• 2606" in text
    french = text_of(sign_in(world.users["bo"]).get(f"/fr/shares/{share.pk}/"))
    assert "60,00 × 95,00 ÷ 100,00 = 57,00." in french
    assert sign_in(world.users["ana"]).get(f"/en/shares/{share.pk}/").status_code == 404


def test_an_unapproved_share_says_that_nothing_is_owed(play: Play, sign_in: SignIn) -> None:
    world = play("close")
    share = Share.objects.get(contributor=world.users["bo"])
    text = text_of(sign_in(world.users["bo"]).get(f"/en/shares/{share.pk}/"))
    assert "nothing is owed until another person has approved the whole distribution" in text


def test_the_account_is_changed_by_its_person_and_shown_masked(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["bo"])
    answer = browser.post("/en/work/account/", {"name": "Bo Nguyen", "iban": "FR76 3000 6000 0112 3456 7890 189"})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/en/payees/")
    payee = Payee.objects.get(user=world.users["bo"])
    assert open_iban(payee) == "FR7630006000011234567890189"
    for path in ("/en/work/", "/en/work/account/", "/en/payees/"):
        page = browser.get(path).content.decode()
        assert "FR76 •••• 0189" in page
        assert "11234567890" not in page.replace(" ", "")


def test_a_wrong_iban_changes_nothing(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    before = Payee.objects.get(user=world.users["bo"]).iban_sealed
    answer = sign_in(world.users["bo"]).post("/en/work/account/", {"name": "Bo", "iban": "FR7630006000011234567890188"})
    assert answer.status_code == 422
    assert "This is not a valid IBAN" in text_of(answer)
    assert Payee.objects.get(user=world.users["bo"]).iban_sealed == before


def test_an_old_password_is_asked_again_and_the_iban_is_not_kept_in_the_session(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    before = Payee.objects.get(user=world.users["bo"]).iban_sealed
    browser = sign_in(world.users["bo"])
    grow_old(browser)
    assert "/reauthenticate/" in browser.get("/en/work/account/").headers["Location"]
    answer = browser.post("/en/work/account/", {"name": "Bo", "iban": "FR7630006000011234567890189"})
    assert (answer.status_code, "/reauthenticate/" in answer.headers["Location"]) == (302, True)
    assert "11234567890" not in str(dict(browser.session))
    assert Payee.objects.get(user=world.users["bo"]).iban_sealed == before


def test_a_token_is_shown_once_and_made_once(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["bo"])
    sent = {"name": "laptop", "scopes": ["contributions:write"], "days": "90", "form_key": "t-1"}
    answer = browser.post("/en/tokens/", sent)
    assert answer.status_code == 201
    shown = re.findall(r"tronc_test_[0-9A-Z]{46}", answer.content.decode())
    assert len(shown) == 1
    owner = token_owner(shown[0], now=timezone.now())
    assert owner is not None
    assert (owner.user, owner.scopes) == (world.users["bo"], ["contributions:write"])
    again = browser.post("/en/tokens/", sent)
    assert again.status_code == 409
    assert "had already made its token" in text_of(again)
    assert shown[0] not in again.content.decode()
    assert shown[0] not in browser.get("/en/tokens/").content.decode()
    assert ApiToken.objects.count() == 1


def test_a_token_without_a_scope_is_not_made(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    answer = sign_in(world.users["bo"]).post("/en/tokens/", {"name": "laptop", "form_key": "t-1"})
    assert answer.status_code == 422
    assert "Choose what the token may do." in text_of(answer)
    assert ApiToken.objects.count() == 0


def test_a_token_is_revoked_by_its_owner_alone(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    browser = sign_in(world.users["bo"])
    sent = {"name": "laptop", "scopes": ["commons:read"], "days": "30", "form_key": "t-1"}
    made = browser.post("/en/tokens/", sent).content.decode()
    text = re.findall(r"tronc_test_[0-9A-Z]{46}", made)[0]
    path = f"/en/tokens/{ApiToken.objects.get().pk}/revoke/"
    assert sign_in(world.users["camille"]).post(path).status_code == 404
    assert token_owner(text, now=timezone.now()) is not None
    assert "stop working at once" in text_of(browser.get(path))
    for _time in range(2):
        assert browser.post(path).status_code == 302
    assert token_owner(text, now=timezone.now()) is None


def test_again_copies_all_but_the_day_and_never_of_somebody_else(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    bo = sign_in(world.users["bo"])
    bo.post(DECLARE, facts(world))
    first = Contribution.objects.get()
    assert f"{DECLARE}?again={first.pk}" in bo.get(f"/en/contributions/{first.pk}/").content.decode()
    form = bo.get(f"{DECLARE}?again={first.pk}").context["form"]
    values = {field.html_name: field.value() for field in form}
    assert (values["minutes"], values["amount"], values["description"]) == ("1h30", "45", "Fixed the export")
    assert values["evidence"] == "https://example.org/1\nhttp://example.org/2"
    assert values["worked_on"] == host_day(timezone.now())
    sent = {**values, "worked_on": values["worked_on"].isoformat()}
    asked = bo.post(f"{DECLARE}?again={first.pk}", sent)
    assert asked.status_code == 422
    assert f"is declared already ({first.pk})" in text_of(asked)
    assert 'name="twice"' in asked.content.decode()
    assert Contribution.objects.count() == 1
    assert bo.post(f"{DECLARE}?again={first.pk}", sent | {"twice": "on"}).status_code == 302
    assert Contribution.objects.count() == 2
    assert bo.post(DECLARE, sent | {"twice": "on"}).status_code == 302  # the same form once more
    assert Contribution.objects.count() == 2
    bo.post(f"/en/contributions/{first.pk}/withdraw/")
    other = sign_in(world.users["camille"]).get(f"{DECLARE}?again={first.pk}")
    assert "Fixed the export" not in text_of(other)
    assert not other.context["form"]["description"].value()


def test_who_declares_reads_what_others_were_granted_when_they_are_three(play: Play, sign_in: SignIn) -> None:
    world = play("receive")
    for number, amount in enumerate((20_00, 50_00, 80_00)):
        who = person(f"w{number}", f"Wanda {number}")
        grant_role(user=who, kind="contributor", scope=world.budget.pk, granted_by=None, now=world.now)
        row = declare(
            actor=who, budget=world.budget, worked_on=world.today, kind="development", minutes=60, amount=amount,
            description="Work", form_key="k", now=world.now,
        )  # fmt: skip
        text = text_of(sign_in(world.users["bo"]).get(DECLARE))
        assert "others were granted" not in text
        review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now)
    text = text_of(sign_in(world.users["bo"]).get(DECLARE))
    assert "development: others were granted €50.00 in the middle, from €20.00 to €80.00, in twelve months" in text
    assert "Wanda" not in text
