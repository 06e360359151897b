"""The assistant that leads a period from work to pay: it looks, compares, closes once, then shows every stage."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from backend.banking.models import BankLine
from backend.commons.models import Period
from backend.contributions.services import declare
from backend.distributions.models import Arbitration, Distribution, Share
from backend.distributions.services import object_to_distribution, waive_share
from backend.identity.services import host_day
from backend.ledger.services import entry_count
from backend.operations.demo import sweep
from backend.operations.models import SelfCheckRun
from backend.pledges.services import make_pledge
from backend.web.closing_assistant import CloseForm
from tests.distributions.pots import Pots
from tests.papers import document
from tests.web.test_arbitrations import enter
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


@pytest.fixture
def pots(play: Play) -> Pots:
    """A house where pots can be opened."""
    return Pots(play("make_house"))


def test_it_says_what_to_look_at_and_who_could_act(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    for key in ("late", "later"):
        declare(
            actor=world.users["bo"], budget=world.budget, worked_on=world.today, kind="support", minutes=30,
            amount=5_00, description="Answered questions", form_key=key, now=world.now,
        )  # fmt: skip
    path = f"/en/periods/{world.period.pk}/close/"
    claire = sign_in(world.users["claire"])
    page = text_of(claire.get(path))
    assert "look 2 contributions are not reviewed: they will go into the next period." in page
    assert "fine No question or objection is open." in page
    assert "fine No draft is left." in page
    assert "fine No bank line that names a pledge to this budget is unmatched." in page
    assert "fine No pledge awaits its payment." in page
    assert "look The self-check of the books has not run lately." in page
    assert "fine Could settle an objection: Sacha Le Goff." in page
    assert "fine Could approve: Denis" in page
    assert "Claire Moreau: would have closed the period" in page
    assert "In the pot €95.00 Would be shared €95.00 Would stay €0.00" in page
    assert "Bo Nguyen €60.00 3 h €57.00" in page
    assert "It is the first period that is shared." in page
    assert "requests are met in part" in page
    SelfCheckRun.objects.create(started_at=timezone.now(), ended_at=timezone.now(), ok=True, entries=1, postings=2)
    assert "fine The self-check found the books sound." in text_of(claire.get(path))
    SelfCheckRun.objects.update(ok=False)
    assert "look The self-check of the books found faults" in text_of(claire.get(path))
    # The steward would close it: nobody is left to settle an objection.
    page = text_of(sign_in(world.users["sacha"]).get(path))
    assert "look Could settle an objection: nobody. The charter wants 1: name another steward." in page


def test_the_name_is_typed_with_what_a_keyboard_has(pots: Pots) -> None:
    expected = "Movilab › Anti-manuel"
    for typed in ("Movilab › Anti-manuel", "movilab > anti-manuel", "Movilab Anti-manuel"):
        assert CloseForm({"name": typed}, expected=expected).is_valid()
    assert not CloseForm({"name": "Anti-manuel"}, expected=expected).is_valid()


def test_what_cannot_be_undone_says_so_beside_its_button(pots: Pots, sign_in: SignIn) -> None:
    budget = pots.pot("Vide", "bo")
    pots.work(budget, "bo", 60_00)
    Period.objects.filter(budget=budget).update(ends_before=host_day(pots.now) + timedelta(days=9))
    page = text_of(sign_in(pots.person("claire")).get(f"/en/periods/{pots.period(budget).pk}/close/"))
    assert "Nothing would be shared: validated work would be closed with nothing for it." in page
    assert "closed now, it ends today" in page


def test_a_period_says_when_it_closes_by_itself(pots: Pots, sign_in: SignIn) -> None:
    budget = pots.pot("Jours", "bo", closing={"mode": "automatic", "days_after": 2})
    period = pots.period(budget)
    page = text_of(sign_in(pots.person("claire")).get(f"/en/periods/{period.pk}/"))
    day = period.ends_before + timedelta(days=2)
    assert f"By its charter it closes by itself on {day.day} {day:%B} {day.year}" in page


def test_a_bank_line_of_a_pledge_and_an_unpaid_pledge_are_seen(pots: Pots, sign_in: SignIn) -> None:
    budget = pots.pot("Relevé", "bo")
    pots.fund(budget, 100_00)
    make_pledge(
        actor=pots.person("ana"), budget=budget, organisation=pots.world.organisation, amount=30_00, currency="EUR",
        form_key="unpaid", now=pots.now,
    )  # fmt: skip
    line = BankLine.objects.latest("pk")
    BankLine.objects.filter(pk=line.pk).update(state="suspect")
    path = f"/en/periods/{pots.period(budget).pk}/close/"
    claire = sign_in(pots.person("claire"))
    answer = claire.get(path)
    assert "look 1 bank line names a pledge to this budget and is not matched" in text_of(answer)
    assert 'href="/en/bank/"' in answer.content.decode()
    assert "look 1 pledge awaits its payment: €30.00 will count in a later period." in text_of(answer)
    steward = sign_in(pots.person("sacha")).get(path)
    assert "1 bank line names a pledge" in text_of(steward)
    assert 'href="/en/bank/"' not in steward.content.decode()


def test_the_name_is_typed_and_one_closing_comes_of_it(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    path, booked = f"/en/periods/{world.period.pk}/close/", entry_count()
    claire = sign_in(world.users["claire"])
    for typed in ("", "Another pot"):
        answer = claire.post(path, {"name": typed})
        assert answer.status_code == 422
        assert not Distribution.objects.exists()
    assert "Type “" in text_of(answer)
    for typed in (f"  {world.budget.full_name.upper()} ", world.budget.full_name):
        assert claire.post(path, {"name": typed}).headers["Location"] == path
    assert Distribution.objects.get().prepared_by == world.users["claire"]
    page = text_of(claire.get(path))
    assert "done Closed, inputs frozen" in page
    assert "next Computed and published" in page
    assert sign_in(world.users["bo"]).post(path, {"name": world.budget.full_name}).status_code == 403
    sweep(timezone.now())
    assert "next Approved by another person, and booked May approve: Denis" in text_of(claire.get(path))
    assert entry_count() == booked


def test_each_stage_is_there_when_one_comes_back(pots: Pots, sign_in: SignIn) -> None:
    budget = pots.pot("Étapes", "bo", "cy", publication_days=10)
    pots.fund(budget, 100_00)
    pots.work(budget, "bo", 60_00)
    pots.work(budget, "cy", 40_00)
    made = pots.close(budget)
    path = f"/en/periods/{made.period_id}/close/"
    claire = sign_in(pots.person("claire"))
    Distribution.objects.filter(pk=made.pk).update(published_at=timezone.now())
    assert "next Time for objections until" in text_of(claire.get(path))
    Distribution.objects.filter(pk=made.pk).update(published_at=timezone.now() - timedelta(days=11))
    raised = object_to_distribution(
        actor=pots.person("bo"), distribution_id=made.pk, digest=made.digest, reason="No", now=pots.now
    )
    page = text_of(claire.get(path))
    assert "next Objections answered 1 objection stands: its author lifts it, uninvolved stewards decide" in page
    raised.state, raised.ended_at = "lifted", pots.now
    raised.save(update_fields=["state", "ended_at"])
    page = text_of(claire.get(path))
    assert "done Objections answered All objections are answered." in page
    assert "next Approved by another person, and booked May approve: Denis" in page
    pots.world.now = timezone.now()
    pots.approve(made)
    page = text_of(claire.get(path))
    assert "next Paid 0 of 2 shares are paid or given back; €100.00 is still due." in page
    waive_share(
        actor=pots.person("bo"), share_id=made.shares.get(contributor=pots.person("bo")).pk, amount=None, form_key="x",
        now=timezone.now(),
    )  # fmt: skip
    assert "next Paid 1 of 2 shares are paid or given back; €40.00 is still due." in text_of(claire.get(path))
    due = made.shares.get(state="owed")
    document(due, now=timezone.now())
    Share.objects.filter(pk=due.pk).update(state="batched")
    Share.objects.filter(pk=due.pk).update(state="paid")
    assert "done Paid 2 of 2 shares are paid or given back; €0.00 is still due." in text_of(claire.get(path))


def test_the_next_period_is_compared_with_the_last(pots: Pots, sign_in: SignIn) -> None:
    budget = pots.pot("Suite", "bo", "cy")
    pots.fund(budget, 100_00)
    pots.work(budget, "bo", 60_00)
    pots.work(budget, "cy", 40_00)
    pots.approve(pots.close(budget))
    pots.pass_days(1)
    pots.fund(budget, 50_00)
    pots.work(budget, "bo", 50_00)
    Period.objects.filter(budget=budget, state="open").update(starts_on=host_day(timezone.now()))
    page = text_of(sign_in(pots.person("claire")).get(f"/en/periods/{pots.period(budget).pk}/close/"))
    assert "Bo Nguyen €50.00 – €60.00 €50.00 -€10.00" in page, page[page.index("2. Compare") :][:700]
    assert "Cy – – €40.00 €0.00" in page


def test_fifteen_thousand_asked_and_ten_thousand_there(pots: Pots, sign_in: SignIn) -> None:
    """Row 33 of the reference on the pages: three rules compared, an agreement recorded, texts in two languages."""
    asked = {"ada": 6000_00, "bob": 4500_00, "cai": 3000_00, "dea": 1500_00}
    budget = pots.pot("Opteos", *asked)
    pots.fund(budget, 10_000_00)
    for name, cents in asked.items():
        pots.work(budget, name, cents)
    period = pots.period(budget)
    sacha = sign_in(pots.person("sacha"))
    page = text_of(sacha.get(f"/en/periods/{period.pk}/simulate/?compare=1&rule=claims_cea&rule=claims_talmud"))
    for row in (
        "Ada €6,000.00 €4,000.00", "Bob €4,500.00 €3,000.00", "Cai €3,000.00 €2,000.00", "Dea €1,500.00 €1,000.00",
    ):  # fmt: skip
        assert row in page
    assert page.count("€2,833.33") >= 2
    assert "€2,833.34" in page
    for cents in (4583_34, 3083_33, 1583_33, 750_00, 1500_00):
        assert f"€{cents // 100:,}.{cents % 100:02d}" in page
    close = f"/en/periods/{period.pk}/close/"
    assert "Would be shared €10,000.00 Would stay €0.00" in text_of(sacha.get(close))
    claire = sign_in(pots.person("claire"))
    claire.post(close, {"name": budget.full_name})
    sweep(timezone.now())
    made = Distribution.objects.get(period=period)
    assert pots.shares(made) == {"ada": 4000_00, "bob": 3000_00, "cai": 2000_00, "dea": 1000_00}
    pots.world.distribution = made
    entered = enter(sacha, pots.world, {"Ada": "3900", "Bob": "2900", "Dea": "1200"})
    assert entered.status_code == 302
    agreed = Arbitration.objects.get()
    for name in ("ada", "bob", "dea"):
        path = f"/en/arbitrations/{agreed.pk}/"
        assert sign_in(pots.person(name)).post(path, {"answer": "accept"}).status_code == 302
    assert pots.shares(made) == {"ada": 3900_00, "bob": 2900_00, "cai": 2000_00, "dea": 1200_00}
    english = text_of(claire.get(f"/en/distributions/{made.pk}/"))
    french = text_of(claire.get(f"/fr/distributions/{made.pk}/")).replace("\u00a0", " ").replace("\u202f", " ")
    facts = {  # computed, agreed; the request times what there is, over what is asked
        "Ada": ("6,000.00", "4,000.00", "3,900.00"), "Bob": ("4,500.00", "3,000.00", "2,900.00"),
        "Cai": ("3,000.00", "2,000.00", ""), "Dea": ("1,500.00", "1,000.00", "1,200.00"),
    }  # fmt: skip
    for name, (request, computed, meeting) in facts.items():
        assert f"{name} €{request} €{meeting or computed}" in english
        told = (
            f"{name} €10,526.32 came in. Host fees −526.32. 10,000.00 to share. You asked for €{request}. The "
            "validated requests come to €15,000.00 for €10,000.00 to share: each receives 66.67%. "
            f"{request} × 10,000.00 ÷ 15,000.00 = {computed}."
        )
        said = (
            f"{name} 10 526,32 € sont arrivés. Frais du tiers de confiance : −526,32. Il reste 10 000,00 à partager. "
            f"Vous avez demandé {frenchly(request)} €. Les demandes validées font 15 000,00 € pour 10 000,00 € à "
            f"partager : chacune reçoit 66,67 %. {frenchly(request)} × 10 000,00 ÷ 15 000,00 = {frenchly(computed)}."
        )
        if meeting:
            told += f" The computation gave {computed}; the meeting agreed {meeting}; you confirmed on "
            said += f" Le calcul donnait {frenchly(computed)} ; la réunion a convenu de {frenchly(meeting)} ; vous avez"
        else:
            told += " The other 1,000.00 of your request ends here: this charter does not carry it over."
            said += " Les autres 1 000,00 de votre demande s’arrêtent là : cette charte ne les reporte pas."
        assert told in english
        assert said in french
    assert "After a meeting, amounts were replaced, as entered by Sacha Le Goff." in english
    assert "Ada: computed 4,000.00, agreed 3,900.00, confirmed on" in english
    made.refresh_from_db()
    assert pots.approve(made).state == "booked"


def frenchly(amount: str) -> str:
    """An amount as French writes it, its spaces made plain."""
    return amount.replace(",", " ").replace(".", ",")
