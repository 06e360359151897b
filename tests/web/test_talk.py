"""The page of a contribution: questions, objections, amendments, what is given up, drafts; each act said and undone."""

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from backend.contributions.models import Contribution, Objection, Question
from backend.contributions.own import draft
from backend.contributions.peers import ask_question, object_to
from backend.contributions.services import review
from backend.core.money import format_money
from backend.ledger.services import entry_count
from tests.contributions.peers import again, by_consent, say, under
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def page_of(row: Contribution) -> str:
    """The address of its page."""
    return f"/en/contributions/{row.pk}/"


def noted(world: Any, **facts: Any) -> Contribution:
    """A draft of bo's."""
    known = {"worked_on": world.today, "description": "Fix the export", "minutes": 90, **facts}
    return draft(
        contributor=world.users["bo"], budget=world.budget, facts=known, source="frg_x", form_key="d", now=world.now
    )


def test_a_question_is_asked_and_answered_on_the_page(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    row, before = say(world), entry_count()
    sacha, bo = sign_in(world.users["sacha"]), sign_in(world.users["bo"])
    assert 'id="ask"' in sacha.get(page_of(row)).content.decode()
    assert 'id="ask"' not in bo.get(page_of(row)).content.decode()
    wrong = sacha.post(f"{page_of(row)}questions/", {"text": " "})
    assert wrong.status_code == 422
    assert "Write your question." in text_of(wrong)
    assert Question.objects.count() == 0
    answer = sacha.post(f"{page_of(row)}questions/", {"text": "Which file?", "version": "1"}, follow=True)
    assert "Your question is asked; the contributor is told. No money moved." in text_of(answer)
    asked = Question.objects.get()
    page = bo.get(page_of(row))
    assert "Which file?" in text_of(page)
    address = f"{page_of(row)}questions/{asked.pk}/answer/"
    assert address in page.content.decode()
    assert address not in sacha.get(page_of(row)).content.decode()
    assert sacha.post(address, {"answer": "me"}).status_code == 404
    assert bo.post(address, {"answer": ""}).status_code == 422
    assert again(row).state == "questioned"
    said = text_of(bo.post(address, {"answer": "The third one"}, follow=True))
    assert "Bo Nguyen answered on" in said
    assert "The third one" in said
    late = bo.post(address, {"answer": "Again"})
    assert late.status_code == 409
    assert Question.objects.get().answer == "The third one"
    assert (again(row).state, entry_count()) == ("declared", before)


def test_an_objection_is_raised_weighed_and_lifted(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    under(world, objections={"settled_by": 2})
    row = say(world)
    camille, sacha, bo = (sign_in(world.users[name]) for name in ("camille", "sacha", "bo"))
    assert camille.post(f"{page_of(row)}objections/", {"reason": ""}).status_code == 422
    assert Objection.objects.count() == 0
    told = camille.post(f"{page_of(row)}objections/", {"reason": "Counted twice", "version": "1"}, follow=True)
    assert "Your objection stands" in text_of(told)
    raised = Objection.objects.get()
    lift, decide = (f"{page_of(row)}objections/{raised.pk}/{act}/" for act in ("lift", "decide"))
    seen = {name: browser.get(page_of(row)).content.decode() for name, browser in
            (("camille", camille), ("sacha", sacha), ("bo", bo))}  # fmt: skip
    assert {name for name, html in seen.items() if lift in html} == {"camille"}
    assert {name for name, html in seen.items() if decide in html} == {"sacha"}
    assert all("Counted twice" in html for html in seen.values())
    assert "It takes 2 stewards who say the same." in text_of(sacha.get(page_of(row)))
    mine, listed = text_of(bo.get(page_of(row))), text_of(bo.get("/en/work/"))
    assert "An objection holds your contribution" in mine
    assert "Not enough stewards who are not involved to decide yet: Sacha Le Goff." in mine
    assert f'href="{page_of(row)}withdraw/"' in seen["bo"]
    assert ("objection raised" in mine, "objection raised" in listed) == (True, True)
    assert "An objection holds your contribution" not in seen["sacha"]
    assert sacha.post(lift).status_code == 403
    assert bo.post(decide, {"upholds": "no", "reason": "mine"}).status_code == 403
    half = sacha.post(decide, {"reason": "Once"})
    assert half.status_code == 422
    assert "Choose one of the two." in text_of(half)
    assert "Sacha Le Goff set it aside on" in text_of(
        sacha.post(decide, {"upholds": "no", "reason": "Once"}, follow=True)
    )
    assert again(row).state == "questioned"
    assert decide not in sacha.get(page_of(row)).content.decode()
    assert "Your objection is lifted." in text_of(camille.post(lift, follow=True))
    assert (again(row).state, Objection.objects.get().state) == ("declared", "lifted")
    assert "lifted by who raised it" in text_of(bo.get(page_of(row)))


def test_what_was_amended_meanwhile_is_not_objected_to_unread(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    row = say(world)
    sign_in(world.users["bo"]).post(f"{page_of(row)}amend/", amendment(world, description="Better"))
    answer = sign_in(world.users["sacha"]).post(f"{page_of(row)}objections/", {"reason": "Twice", "version": "1"})
    assert answer.status_code == 409
    assert "This contribution was amended meanwhile" in text_of(answer)
    assert Objection.objects.count() == 0


def test_under_consent_the_page_says_when_it_is_accepted(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    row = by_consent(world)
    sacha = sign_in(world.users["sacha"])
    text = text_of(sacha.get(page_of(row)))
    assert "By consent: it is accepted on" in text
    assert "Review this contribution" not in text
    ask_question(actor=world.users["sacha"], contribution_id=row.pk, text="Why?", now=world.now)
    assert "the time to object stands still until what is open has ended; 7 days are left of it." in text_of(
        sacha.get(page_of(row))
    )


def amendment(world: Any, **changes: str) -> dict[str, str]:
    """What the form of an amendment sends, with some values changed."""
    return {
        "minutes": "2h", "description": "Work", "kind": "development", "amount": "10,00",
        "worked_on": world.today.isoformat(), "evidence": "", "version": "1", **changes,
    }  # fmt: skip


def test_an_amendment_starts_from_what_was_said_and_approvals_start_again(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    under(world, review={"mode": "approvals", "approvals": 2})
    row, before = say(world), entry_count()
    review(actor=world.users["sacha"], contribution_id=row.pk, verdict="approve", now=world.now)
    bo = sign_in(world.users["bo"])
    form = bo.get(f"{page_of(row)}amend/")
    assert "One approval will no longer count." in text_of(form)
    values = {field.html_name: field.value() for field in form.context["form"]}
    assert (values["description"], values["version"], values["kind"]) == (row.description, 1, row.kind)
    assert bo.post(f"{page_of(row)}amend/", {**values, "worked_on": world.today}).status_code == 302
    assert again(row).version == 1, "nothing was changed: no new version"
    for changes, said in (
        ({"minutes": "1h75"}, "Write the duration in minutes"), ({"amount": "x"}, "Write the amount in figures"),
        ({"description": ""}, "Describe the work"), ({"kind": "juggling"}, "Choose a kind of work"),
        ({"worked_on": "2001-01-01"}, "No open period reaches this day"),
    ):  # fmt: skip
        answer = bo.post(f"{page_of(row)}amend/", amendment(world, **changes))
        assert (answer.status_code, said in text_of(answer)) == (422, True), changes
    assert again(row).version == 1
    answer = bo.post(f"{page_of(row)}amend/", amendment(world), follow=True)
    assert "Your contribution says this now. No money moved." in text_of(answer)
    assert "It was changed since: this no longer counts." in text_of(answer)
    now = again(row)
    assert (now.version, now.minutes, now.amount, now.state) == (2, 120, 10_00, "declared")
    late = bo.post(f"{page_of(row)}amend/", amendment(world, description="Other"))
    assert late.status_code == 409
    assert (again(row).description, entry_count()) == ("Work", before)
    assert sign_in(world.users["camille"]).get(f"{page_of(row)}amend/").status_code == 403


def test_a_request_is_given_up_in_part_then_as_a_whole(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    row, before = say(world, amount=30_00), entry_count()
    bo, address = sign_in(world.users["bo"]), f"{page_of(row)}waive/"
    assert "It cannot be undone." in text_of(bo.get(address))
    for sent, said in (
        ({"version": "1"}, "Choose one of the two."),
        ({"how_much": "part", "version": "1"}, "Write the amount in figures"),
        ({"how_much": "part", "amount": "30", "version": "1"}, "Give up less than what is asked"),
    ):
        answer = bo.post(address, sent)
        assert (answer.status_code, said in text_of(answer)) == (422, True), sent
    assert again(row).amount == 30_00
    assert bo.post(address, {"how_much": "part", "amount": "12,50", "version": "1"}).status_code == 302
    assert (again(row).amount, again(row).waived, again(row).state) == (17_50, 12_50, "declared")
    assert f"Given up {format_money(12_50, 'EUR')}" in text_of(bo.get(page_of(row))) or "€12.50" in text_of(
        bo.get(page_of(row))
    )
    assert bo.post(address, {"how_much": "all", "version": "1"}).status_code == 302
    assert (again(row).amount, again(row).waived, again(row).state) == (0, 30_00, "waived")
    assert bo.get(address).status_code == 302
    assert entry_count() == before


def test_a_draft_is_completed_declared_or_deleted_by_its_contributor_alone(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    row = noted(world)
    bo = sign_in(world.users["bo"])
    assert sign_in(world.users["sacha"]).get(page_of(row)).status_code == 404
    assert "nobody but you sees it" in text_of(bo.get(page_of(row)))
    Contribution.objects.filter(pk=row.pk).update(source_gone_at=world.now)
    assert "It comes from a commit that is no longer there." in text_of(bo.get(page_of(row)))
    assert bo.post(f"{page_of(row)}amend/", amendment(world, description="Export fixed")).status_code == 302
    assert (again(row).state, again(row).version, again(row).description) == ("draft", 1, "Export fixed")
    assert "It now awaits its review" in text_of(bo.post(f"{page_of(row)}declare/", follow=True))
    assert again(row).state == "declared"
    assert bo.post(f"{page_of(row)}delete/").status_code == 409
    assert bo.get(f"{page_of(row)}delete/").status_code == 302
    assert Contribution.objects.filter(pk=row.pk).exists()


def test_a_draft_that_lacks_something_is_led_to_its_form(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    row = noted(world, minutes=0)
    bo = sign_in(world.users["bo"])
    answer = bo.post(f"{page_of(row)}declare/", follow=True)
    assert answer.redirect_chain[-1][0] == f"{page_of(row)}amend/"
    assert "Give a duration, an amount, or both." in text_of(answer)
    assert again(row).state == "draft"
    assert "Nobody but you has seen it." in text_of(bo.get(f"{page_of(row)}delete/"))
    assert "The draft is deleted." in text_of(bo.post(f"{page_of(row)}delete/", follow=True))
    assert not Contribution.objects.filter(pk=row.pk).exists()


@pytest.mark.parametrize("state", ["rejected", "withdrawn"])
def test_what_has_ended_is_no_longer_discussed(play: Play, sign_in: SignIn, state: str) -> None:
    world = play("make_house")
    row = say(world)
    object_to(actor=world.users["camille"], contribution_id=row.pk, reason="Twice", now=world.now)
    if state == "rejected":
        review(actor=world.users["sacha"], contribution_id=row.pk, verdict="reject", reason="No", now=world.now)
    else:
        sign_in(world.users["bo"]).post(f"{page_of(row)}withdraw/")
    sacha = sign_in(world.users["sacha"])
    html = sacha.get(page_of(row)).content.decode()
    assert 'id="ask"' not in html
    assert "/decide/" not in html
    assert sacha.post(f"{page_of(row)}questions/", {"text": "Why?"}).status_code == 409
    assert Question.objects.count() == 0


def test_my_work_begins_with_what_waits_for_me_and_my_drafts(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    bo = sign_in(world.users["bo"])
    empty = text_of(bo.get("/en/work/"))
    assert ("Waits for you" in empty, "Drafts" in empty) == (False, False)
    first = noted(world, evidence=["https://git.example.org/c/1"])
    Contribution.objects.filter(pk=first.pk).update(source_gone_at=world.now)
    row = say(world)
    ask_question(actor=world.users["sacha"], contribution_id=row.pk, text="Which file?", now=world.now)
    object_to(actor=world.users["camille"], contribution_id=row.pk, reason="Counted twice", now=world.now)
    page = bo.get("/en/work/")
    text = text_of(page)
    assert text.index("Sacha Le Goff asks about") < text.index("Drafts") < text.rindex("Contributions")
    assert "Which file?" in text
    assert "Camille Faure objects to" in text
    assert "Counted twice" in text
    assert "Origin: https://git.example.org/c/1" in text
    assert "from a commit that is no longer there" in text
    assert [one.pk for one in page.context["page"]] == [row.pk], "a draft is not among what was declared"
    assert page.context["totals"][0]["minutes"] == row.minutes
    assert f"/en/contributions/{first.pk}/declare/" in page.content.decode()
    other = text_of(sign_in(world.users["camille"]).get("/en/work/"))
    assert "Fix the export" not in other
    assert "Waits for you" not in other
