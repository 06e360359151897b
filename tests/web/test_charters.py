"""The pages of charters: the rules in plain words, their history, the form with its preview, the document, adopting."""

import json
from collections.abc import Callable
from typing import Any

from django.test import Client

from backend.commons.charter_schema import charter_schema
from backend.commons.models import Budget, Charter, Commons, Period
from backend.commons.services import adopt_charter, open_next_period, ruling_budget
from backend.contributions.models import Contribution
from backend.core.errors import Conflict
from backend.distributions.models import Distribution
from backend.ledger.services import entry_count
from backend.notifications.models import OutgoingMail
from backend.operations.demo import sweep
from tests.contributions.peers import by_consent
from tests.contributions.test_contributions import say, under
from tests.web.test_public import text_of

Play = Callable[..., Any]
SignIn = Callable[..., Client]


def filled(browser: Client, address: str) -> dict[str, Any]:
    """What a browser would send from a fresh form: ticked boxes only, no empty selections of nothing."""
    form = browser.get(address).context["form"]
    values = {field.html_name: field.value() for field in form}
    return {name: value for name, value in values.items() if value is not None and value is not False}


def edit(world: Any) -> str:
    """The address of the form."""
    return f"/en/charters/{world.budget.pk}/edit/"


def adopt(world: Any, **changes: Any) -> Charter:
    """Sacha adopts the latest rules with some members changed."""
    latest = world.budget.charters.latest("version").document
    return adopt_charter(actor=world.users["sacha"], budget=world.budget, document={**latest, **changes}, now=world.now)


def test_everyone_reads_the_rules_and_members_who_adopted_them(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    adopt(
        world, hard_cap=300_00, kinds={"review": 1500, "expense": 1000}, minimum_payout=10_00,
        rates={"review": 42_50},
        tiers=[
            {"id": "costs", "rule": "as_asked", "kinds": ["expense"], "take": {"cents": 500_00}, "reimburses": True},
            {"id": "even", "rule": "equal", "kinds": None, "take": {"bp": 3000, "of": "left"}, "reimburses": False},
            {"id": "time", "rule": "weighted", "kinds": ["review"], "take": {"rest": True}, "reimburses": False},
        ],
        bounds={"floor": 10_00, "ceiling": 900_00, "ceiling_bp": 4000, "hourly_cap": 55_00},
        reserve={"bp": 500, "target": 2000_00}, period={"months": 3}, publication_days=7,
    )  # fmt: skip
    address = f"/en/charters/{world.budget.pk}/"
    text = text_of(Client().get(address))
    assert "The rules by which its money is shared: version 1" in text
    assert "Version 2 comes next: it holds from" in text
    assert "At most €500.00. In the order of validation." in text
    assert "30% of what is left. The same for everyone." in text
    assert "review × 1.5, expense × 1" in text
    assert "review €42.50; a suggestion, never imposed" in text
    assert "€900.00, and 40% of what is shared, and €55.00 a validated hour" in text
    assert "5% of what came in, until it holds €2,000.00" in text
    assert "3 months" in text
    assert "7 days before it can be approved" in text
    assert "Sacha" not in text
    assert "Change the rules" not in text
    assert "Adopted by Sacha Le Goff" in text_of(sign_in(world.users["bo"]).get(address))
    assert "Change the rules" in text_of(sign_in(world.users["sacha"]).get(address))
    in_french = text_of(Client().get(address.replace("/en/", "/fr/"))).replace("\u00a0", " ")
    assert "900,00 €, et 40 %" in in_french
    assert "× 1,5, " in in_french


def test_the_document_and_the_schema_are_public_files(play: Play) -> None:
    world = play("make_house")
    answer = Client().get(f"/en/charters/{world.budget.pk}/1/charter.json")
    assert json.loads(answer.content) == world.budget.charters.get().document
    assert answer["Content-Disposition"] == 'attachment; filename="cartolibre-charter-1.json"'
    answer = Client().get("/charter.schema.json")
    assert json.loads(answer.content) == charter_schema()
    assert (answer["Content-Type"], answer["Cache-Control"]) == ("application/schema+json", "public, max-age=86400")
    assert Client().get(f"/en/charters/{world.budget.pk}/2/").status_code == 404
    assert Client().get("/en/charters/bud_nobody/").status_code == 404


def test_the_form_sent_back_as_it_is_says_the_same_rules(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    commons = Commons.objects.create(id="com_x", slug="x", name="X", created_at=world.now)
    other = Budget.objects.create(
        id=f"bud_{'0' * 36}", commons=commons, name="X", currency="EUR", state="open", created_at=world.now
    )
    made = adopt(
        world, soft_cap=1234_50, decay_ppm=[1_000_000, 500_000, 255_000], period={"days": 14}, declare="everyone",
        upstream=[{"to": other.pk, "bp": 1250}], catch_up_periods=3, cut_claims_at_pot=True, min_edge=2_00,
        earmarks={"weights": "offset", "leftover": "release"}, unpaid={"carry_periods": 2}, transfer_threshold=500_00,
        kinds={"review": 1250, "expense": 0, "support": 1000}, reserve={"bp": 750, "target": 2000_00},
        rates={"support": 1234_50, "review": 25_00},
        tiers=[
            {"id": "costs", "rule": "as_asked", "kinds": ["expense"], "take": {"rest": True}, "reimburses": True},
            {"id": "even", "rule": "equal", "kinds": None, "take": {"bp": 3333, "of": "whole"}, "reimburses": False},
            {"id": "gift", "rule": "claims_cel", "kinds": ["review"], "take": {"cents": 100}, "reimburses": False},
            {"id": "time", "rule": "catch_up", "kinds": None, "take": {"rest": True}, "reimburses": False},
        ],
    )  # fmt: skip
    sacha = sign_in(world.users["sacha"])
    for language in ("en", "fr"):
        address = f"/{language}/charters/{world.budget.pk}/edit/"
        answer = sacha.post(address, filled(sacha, address) | {"act": "adopt"})
        assert answer.status_code == 200, answer.context["form"].errors
        assert json.loads(answer.context["document"]) == made.document


def test_rules_are_previewed_confirmed_and_adopted_and_hold_from_the_next_period(play: Play, sign_in: SignIn) -> None:
    world = play("work")
    sacha = sign_in(world.users["sacha"])
    form = filled(sacha, edit(world)) | {"tier1_rule": "equal", "hard_cap": "250"}
    before = (Charter.objects.count(), entry_count(), Distribution.objects.count())
    answer = sacha.post(edit(world), form | {"act": "preview"})
    text = text_of(answer)
    assert answer.status_code == 200
    assert "Largest request Requests no limit €250.00" in text
    comparison = answer.context["preview"]
    assert [column.name for column in comparison.columns] == ["Present rules", "Your draft"]
    # 95.00 in the pot: 57.00 and 38.00 pro rata of 60 and 40 asked, 47.50 each by equal parts.
    rows = {row.name: [cell.cents for cell in row.cells] for row in comparison.rows}
    assert rows == {"Bo Nguyen": [57_00, 47_50], "Camille Faure": [38_00, 47_50]}
    asked = sacha.post(edit(world), form | {"act": "adopt"})
    text = text_of(asked)
    assert "The running period and those before it keep the rules they have." in text
    assert "No money moves." in text
    assert (Charter.objects.count(), entry_count(), Distribution.objects.count()) == before
    sent = {name: asked.context[name] for name in ("document", "after")}
    answer = sacha.post(f"/en/charters/{world.budget.pk}/adopt/", sent)
    assert answer.status_code == 302
    assert "Version 2 is adopted. It holds from" in text_of(sacha.get(answer["Location"]))
    made = world.budget.charters.latest("version")
    assert (made.version, made.rule, made.hard_cap) == (2, "equal", 250_00)
    assert Period.objects.get(pk=world.period.pk).charter.version == 1
    assert open_next_period(after=world.period).charter == made
    sweep(world.now)
    told = set(
        OutgoingMail.objects.filter(subject="Nouvelles règles pour Cartolibre, version 2").values_list(
            "recipient", flat=True
        )
    )
    assert {world.users[name].email for name in ("bo", "camille", "claire", "denis")} <= told
    assert world.users["sacha"].email not in told


def test_faults_stand_beside_their_fields(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    sacha = sign_in(world.users["sacha"])
    form = filled(sacha, edit(world)) | {"act": "adopt"}
    for changes, field, said in (
        ({"hard_cap": "many"}, "hard_cap", "Write the amount in figures"),
        ({"reserve_bp": "12,345"}, "reserve_bp", "too many decimals"),
        ({"reserve_bp": "101"}, "reserve_bp", "Write at most 100."),
        ({"floor": "20", "ceiling": "10"}, "floor", "The floor is above the ceiling."),
        ({"soft_cap": "20", "hard_cap": "10"}, "soft_cap", "is larger than the largest request."),
        ({"tier1_rule": "magic"}, "tier1_rule", "Select a valid choice."),
        ({"tier1_rule": "as_asked", "floor": "5"}, "tier1_rule", "have no floors"),
        ({"tier1_take": "cents", "tier1_part": "5"}, "tier1_take", "The last tier shares all that is left"),
        ({"tier1_take": "whole", "tier1_part": "x"}, "tier1_part", "Write a number such as 5 or 7,5."),
        ({"tier1_kinds": "expense"}, "tier1_kinds", "The charter has no kind"),
        ({"tier3_rule": "equal", "tier1_take": "left", "tier1_part": "0"}, "tier1_part", "0 is too small"),
        ({"decay": "50; 60"}, "decay", "Older work never counts more"),
        ({"decay": "fifty"}, "decay", "Write a number"),
        ({"coefficient_review": "200"}, "coefficient_review", "Write at most 100."),
        ({"period_unit": "months"}, "period_length", "Say how many."),
        ({"period_unit": "months", "period_length": "25"}, "period_length", "25 is too large"),
        ({"approvals": "0"}, "approvals", "greater than or equal to 1"),
        ({"approvals": ""}, "approvals", "Say how many."),
        ({"review_mode": "consent"}, "consent_days", "Say how many."),
        ({"review_mode": "consent", "consent_days": "91"}, "consent_days", "less than or equal to 90"),
        ({"settled_by": "0"}, "settled_by", "greater than or equal to 1"),
        ({"rate_review": "much"}, "rate_review", "Write the amount in figures"),
        ({"rate_support": "25", "kind_support": ""}, "rate_support", "The charter has no kind"),
        ({"bp_1": "5"}, "bp_1", "Give both the budget and its part, or neither."),
    ):
        answer = sacha.post(edit(world), form | changes)
        assert answer.status_code == 422, changes
        assert said in " ".join(answer.context["form"].errors.get(field, ["none"])), (
            changes,
            answer.context["form"].errors,
        )
        assert f'id="id_{field}_error"' in answer.content.decode()
    nothing = {name: value for name, value in form.items() if not name.startswith("kind_")}
    answer = sacha.post(edit(world), nothing)
    assert (answer.status_code, "kind_development" in answer.context["form"].errors) == (422, True)
    assert Charter.objects.count() == 1


def test_a_charter_by_consent_is_written_in_the_form_and_read_everywhere(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    sacha = sign_in(world.users["sacha"])
    form = filled(sacha, edit(world)) | {"act": "adopt"}
    asked = sacha.post(edit(world), form | {"review_mode": "consent", "consent_days": "7", "settled_by": "2"})
    sacha.post(f"/en/charters/{world.budget.pk}/adopt/", {name: asked.context[name] for name in ("document", "after")})
    made = world.budget.charters.latest("version")
    assert (made.version, made.consent_days, made.approvals, made.settled_by) == (2, 7, 0, 2)
    again = filled(sacha, edit(world))
    assert {name: again.get(name) for name in ("review_mode", "approvals", "consent_days", "settled_by")} == {
        "review_mode": "consent", "approvals": None, "consent_days": 7, "settled_by": 2,
    }  # fmt: skip
    text = text_of(Client().get(f"/en/charters/{world.budget.pk}/?version=2"))
    changes = text_of(Client().get(f"/en/charters/{world.budget.pk}/"))
    assert "consent: nobody has objected within 7 days" in text + changes
    assert "2 stewards who are not involved" in text + changes
    by_consent(world)
    assert "A contribution is accepted when nobody of the budget has objected within" in text_of(
        Client().get(f"/en/commons/{world.commons.slug}/")
    )
    page = text_of(sign_in(world.users["bo"]).get("/en/work/declare/"))
    assert "A contribution is accepted when nobody of the budget has objected within" in page


def test_a_document_is_pasted_with_its_faults_by_path(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    sacha = sign_in(world.users["sacha"])
    address = f"/en/charters/{world.budget.pk}/document/"
    form = filled(sacha, address)
    assert json.loads(form["document"]) == world.budget.charters.get().document
    for text, said in (
        ("{", "This is not JSON: see line 1."),
        (
            '{"format": 1, "tiers": [{"id": "a", "rule": "magic", "take": {}}]}',
            "tiers[0].rule: “magic” is not known here.",
        ),
        ('{"format": 1, "tiers": [{"id": "a", "rule": "magic", "take": {}}]}', "tiers[0].take: Write it in one of"),
        ("", "This field is required."),
        ("x" * 65_537, "at most 65536 characters"),
    ):
        answer = sacha.post(address, form | {"document": text, "act": "adopt"})
        assert (answer.status_code, said in text_of(answer)) == (422, True), (said, text_of(answer))
    short = '{"format": 1, "tiers": [{"id": "a", "rule": "claims_cea", "take": {"rest": true}}]}'
    answer = sacha.post(address, form | {"document": short, "act": "preview"})
    assert "Pro rata of the validated requests." in text_of(answer)
    answer = sacha.post(address, form | {"document": short, "act": "adopt"})
    assert json.loads(answer.context["document"])["tiers"][0]["rule"] == "claims_cea"
    assert Charter.objects.count() == 1


def test_an_older_version_comes_back_and_the_latest_is_not_adopted_twice(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    adopt(world, hard_cap=250_00)
    sacha = sign_in(world.users["sacha"])
    page = f"/en/charters/{world.budget.pk}/1/"
    assert "Come back to version 1" in text_of(sacha.get(page))
    assert "Come back" not in text_of(sign_in(world.users["bo"]).get(page))
    asked = sacha.get(f"{page}adopt/")
    assert "Largest request Requests €250.00 no limit" in text_of(asked)
    sent = {name: asked.context[name] for name in ("document", "after")}
    assert sacha.post(f"/en/charters/{world.budget.pk}/adopt/", sent).status_code == 302
    assert [one.hard_cap for one in world.budget.charters.order_by("version")] == [None, 250_00, None]
    assert "there is nothing to adopt" in text_of(sacha.get(f"/en/charters/{world.budget.pk}/3/adopt/"))
    # Sent again from a page that was left open, over rules that somebody else changed since.
    adopt(world, hard_cap=90_00)
    stale = json.dumps({**json.loads(sent["document"]), "hard_cap": 1_00})
    answer = sacha.post(f"/en/charters/{world.budget.pk}/adopt/", {"document": stale, "after": "3"})
    assert (answer.status_code, "Version 4 was adopted in the meantime" in text_of(answer)) == (Conflict.status, True)
    assert Charter.objects.count() == 4


def test_only_stewards_change_the_rules(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    document = json.dumps({**world.budget.charters.get().document, "hard_cap": 5})
    for person in ("bo", "claire", "ana"):
        browser = sign_in(world.users[person])
        for name in ("edit", "document", "1/adopt"):
            assert browser.get(f"/en/charters/{world.budget.pk}/{name}/").status_code == 403
        assert browser.post(f"/en/charters/{world.budget.pk}/adopt/", {"document": document}).status_code == 403
    assert Client().get(edit(world)).status_code == 302
    assert Charter.objects.count() == 1


def test_an_envelope_that_follows_shows_the_rules_above(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    sacha = sign_in(world.users["sacha"])
    new = f"/en/budgets/{world.budget.pk}/envelopes/new/"
    assert sacha.post(new, {"name": "Atlas", "rules": "follow"}).status_code == 302
    assert sacha.post(new, {"name": "Team", "rules": "own"}).status_code == 302
    assert sacha.post(new, {"name": "Odd", "rules": "steal"}).status_code == 422
    atlas, team = (Budget.objects.get(name=name) for name in ("Atlas", "Team"))
    assert (ruling_budget(atlas), ruling_budget(team)) == (world.budget, team)
    text = text_of(sacha.get(f"/en/charters/{atlas.pk}/"))
    assert "This envelope follows the rules and the periods of Cartolibre" in text
    assert "Change the rules" not in text
    assert sacha.get(f"/en/charters/{atlas.pk}/edit/").status_code == 404
    assert "those of Cartolibre" in text_of(sacha.get(f"/en/budgets/{atlas.pk}/"))


def test_the_declaration_follows_the_charter(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    under(world, soft_cap=40_00, kinds={"review": 1000, "expense": 1000}, declare="everyone")
    ana = sign_in(world.users["ana"])
    form = ana.get("/en/work/declare/").context["form"]
    assert [kind for kind, _name in form.fields["kind"].choices] == ["review", "expense"]
    sent = {
        "budget": world.budget.pk, "kind": "review", "minutes": "90", "amount": "45", "description": "Relecture",
        "worked_on": world.today.isoformat(), "form_key": "k",
    }  # fmt: skip
    answer = ana.post("/en/work/declare/", sent)
    assert (answer.status_code, "over_cap_reason" in answer.context["form"].errors) == (422, True)
    assert ana.post("/en/work/declare/", sent | {"over_cap_reason": "Urgent"}).status_code == 302
    made = Contribution.objects.get()
    assert made.over_cap_reason == "Urgent"
    assert "Why this much Urgent" in text_of(ana.get(f"/en/contributions/{made.pk}/"))


def test_a_reviewer_validates_less_time_than_was_declared(play: Play, sign_in: SignIn) -> None:
    world = play("make_house")
    made = say(world)
    sacha = sign_in(world.users["sacha"])
    page = f"/en/reviews/{made.pk}/"
    for typed, said in (("2h", "from 0 to the 90 minutes"), ("many", "Write the duration in minutes")):
        answer = sacha.post(page, {"verdict": "approve", "minutes": typed})
        assert (answer.status_code, said in text_of(answer)) == (422, True), typed
    assert sacha.post(page, {"verdict": "approve", "minutes": "1h"}).status_code == 302
    assert made.reviews.get().minutes == 60
    assert "Time validated: 1 h." in text_of(sacha.get(page)).replace("\u00a0", " ")
