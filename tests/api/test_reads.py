"""Oneself, budgets, estimates, shares, one's own statement: what one reads of them, and what stays others'."""

from datetime import timedelta
from typing import Any

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from backend.commons.models import Charter, Commons, Period
from backend.commons.services import open_envelope
from backend.contributions.models import Contribution
from backend.contributions.places import declarable
from backend.contributions.services import may_declare, review
from backend.core.ids import new_id
from backend.distributions.models import Share
from backend.events.models import Event
from backend.identity.models import Role, User
from backend.ledger.services import Line, open_account, post
from backend.operations import demo
from backend.payees.services import payee_of
from tests.api.conftest import refused, shown, work


def somebody(number: int = 0) -> User:
    """A person without a role."""
    return User.objects.create_user(f"p{number}@example.org", "a long password here", name=f"Person {number}")


def let_everyone(world: Any) -> None:
    """Let everyone declare in the common pot. A charter never changes: this is done behind the back of its guard."""
    document = {**world.period.charter.document, "declare": "everyone"}
    made = Charter.objects.create(
        id=new_id("cha"), budget=world.budget, version=2, document=document, sha256="0" * 64, created_at=world.now
    )
    Period.objects.filter(pk=world.period.pk).update(charter=made)


def hide(world: Any) -> None:
    """Withdraw the commons from the public."""
    Commons.objects.filter(pk=world.commons.pk).update(
        state="hidden", reason="a doubt", appeal_to="appeal@example.org", decided_by=world.users["claire"],
        decided_at=world.now,
    )  # fmt: skip


# --- oneself ----------------------------------------------------------------------------------------------------------


def test_a_token_says_whose_it_is_and_where_one_may_declare(play: Any, call: Any) -> None:
    world = play("make_house")
    envelope = open_envelope(
        actor=world.users["sacha"], parent=world.budget, name="Docs", own_rules=False, now=world.now
    )
    bo = call(world.users["bo"], ["log:read"])  # any scope will do
    body = shown(bo.get("me"), 200)
    place = {"id": world.commons.pk, "slug": "cartolibre", "name": "Cartolibre"}
    assert body == {
        "id": world.users["bo"].pk,
        "name": "Bo Nguyen",
        "token": {
            "id": bo.row.pk,
            "name": "tests",
            "scopes": ["log:read"],
            "only": None,
            "expires_at": bo.row.expires_at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
        "roles": [{"kind": "contributor", "scope": world.budget.pk}],
        "budgets": [
            {"id": world.budget.pk, "name": "Cartolibre", "currency": "EUR", "commons": place},
            {"id": envelope.pk, "name": "Docs", "currency": "EUR", "commons": place},
        ],
        "more_budgets": False,
    }
    assert shown(call(world.users["ana"]).get("me"), 200)["budgets"] == []


def test_a_held_token_is_told_of_no_other_place(play: Any, call: Any) -> None:
    world = play("make_house")
    other = "com_" + "0" * 36
    bo, ana = world.users["bo"], world.users["ana"]
    near, far = call(bo, only=world.commons.pk), call(bo, only=other)
    assert [one["id"] for one in shown(near.get("me"), 200)["budgets"]] == [world.budget.pk]
    assert shown(near.get("me"), 200)["roles"] == [{"kind": "contributor", "scope": world.budget.pk}]
    found = shown(far.get("me"), 200)
    assert (found["token"]["only"], found["roles"], found["budgets"]) == (other, [], [])
    held = shown(call(ana, only=world.organisation.pk).get("me"), 200)
    assert held["roles"] == [{"kind": "organisation_manager", "scope": world.organisation.pk}]
    refused(near.get("statement"), 404, "not_found")


def test_where_one_may_declare_is_what_declaring_allows(play: Any) -> None:
    world = play("make_house")
    steward, stranger = world.users["sacha"], somebody()
    own = open_envelope(actor=steward, parent=world.budget, name="Own rules", own_rules=True, now=world.now)
    below = open_envelope(actor=steward, parent=world.budget, name="Below", own_rules=False, now=world.now)

    def both(user: User) -> set[str]:
        found = set(declarable(user).values_list("pk", flat=True))
        assert found == {one.pk for one in (world.budget, own, below) if may_declare(user, one)}
        return found

    assert both(world.users["bo"]) == {world.budget.pk, own.pk, below.pk}
    assert both(stranger) == set()
    let_everyone(world)
    assert both(stranger) == {world.budget.pk, below.pk}
    world.budget.state = "closed"
    world.budget.save(update_fields=["state"])
    assert set(declarable(stranger).values_list("pk", flat=True)) == {below.pk}  # it takes no work any more
    hide(world)
    assert not declarable(stranger).exists()


# --- budgets and periods ----------------------------------------------------------------------------------------------


def test_budgets_are_found_by_their_commons(play: Any, call: Any) -> None:
    world = play("receive")
    bo = call(world.users["bo"])
    everything = shown(bo.get("budgets"), 200)["data"]
    assert [one["id"] for one in everything] == [world.budget.pk]
    assert everything[0]["commons"] == {"id": world.commons.pk, "slug": "cartolibre", "name": "Cartolibre"}
    assert everything[0]["figures"]["received"] == {"value": 9500, "currency": "EUR"}
    for given in ("cartolibre", world.commons.pk):
        assert shown(bo.get(f"budgets?commons={given}"), 200)["data"] == everything
    assert shown(bo.get("budgets?commons=nowhere"), 200)["data"] == []
    problem = refused(bo.get("budgets?slug=cartolibre"), 400, "unknown_parameter")
    assert problem["errors"][0]["parameter"] == "slug"


def test_a_budget_has_its_charter_and_open_periods_those_it_follows_too(play: Any, call: Any) -> None:
    world = play("close")
    envelope = open_envelope(
        actor=world.users["sacha"], parent=world.budget, name="Docs", own_rules=False, now=world.now
    )
    bo, ana = call(world.users["bo"]), call(world.users["ana"])
    for pk, parent in ((world.budget.pk, None), (envelope.pk, world.budget.pk)):
        body = shown(bo.get(f"budgets/{pk}"), 200)
        assert (body["id"], body["parent"]) == (pk, parent)
        assert body["charter"] == {"id": world.period.charter_id, "version": 1, "rule": "claims_pro"}
        (following,) = body["open_periods"]
        assert (following["budget"], following["charter_version"]) == (world.budget.pk, 1)
        listed = shown(bo.get(f"budgets/{pk}/periods"), 200)["data"]
        assert [one["id"] for one in listed] == [following["id"], world.period.pk]
        assert [one["distribution"] for one in listed] == [None, world.distribution.pk]
        only = shown(bo.get(f"budgets/{pk}/periods?state=open"), 200)["data"]
        assert [one["id"] for one in only] == [following["id"]]
    # who may not read the distribution is not told its id
    assert [one["distribution"] for one in shown(ana.get(f"budgets/{world.budget.pk}/periods"), 200)["data"]] == [
        None,
        None,
    ]


def test_a_hidden_commons_has_no_budgets_for_others(play: Any, call: Any) -> None:
    world = play("receive")
    hide(world)
    stranger, bo = call(somebody()), call(world.users["bo"])
    for path in ("", "/periods", "/estimate"):
        refused(stranger.get(f"budgets/{world.budget.pk}{path}"), 404, "budget_not_found")
        shown(bo.get(f"budgets/{world.budget.pk}{path}"), 200)
    assert shown(stranger.get("budgets"), 200)["data"] == []
    assert shown(stranger.get("budgets?commons=cartolibre"), 200)["data"] == []
    refused(stranger.get("budgets/bud_" + "0" * 36), 404, "budget_not_found")


# --- what would I get now? --------------------------------------------------------------------------------------------


def written() -> tuple[int, int, int, int]:
    """What an estimate must leave as it was."""
    return Contribution.objects.count(), Event.objects.count(), Share.objects.count(), Period.objects.count()


def test_an_estimate_says_what_the_closing_then_gives(play: Any, call: Any) -> None:
    world = play("work")
    bo = call(world.users["bo"])
    before = written()
    address = f"budgets/{world.budget.pk}/estimate"
    plain = shown(bo.get(address), 200)
    assert plain["estimate"] is True
    assert plain["label"].startswith("This is an estimate, not a promise")
    assert (plain["asked"]["value"], plain["share"]["value"], plain["available"]["value"]) == (6000, 5700, 9500)
    assert (plain["share_of_asked_ppm"], plain["kind"], plain["of_this"]["value"]) == (950_000, None, 0)
    assert plain["period"]["id"] == world.period.pk
    more = shown(bo.get(f"{address}?kind=development&minutes=90&amount=4500"), 200)
    assert (more["asked"]["value"], more["minutes"], more["amount"]["value"]) == (10_500, 90, 4500)
    assert 0 < more["of_this"]["value"] < 4500
    assert written() == before
    # The same work, declared: the estimate is the same while it awaits its review, and is what the closing gives.
    declared = shown(bo.post("contributions", work(world)), 201)["id"]
    waiting = shown(bo.get(address), 200)
    assert (waiting["asked"], waiting["share"]) == (more["asked"], more["share"])
    review(actor=world.users["sacha"], contribution_id=declared, verdict="approve", now=timezone.now())
    demo.close(world)
    assert Share.objects.get(contributor=bo.user).amount == more["share"]["value"]


def test_an_estimate_is_told_in_the_reader_s_language(play: Any, call: Any) -> None:
    world = play("work")
    body = shown(call(world.users["bo"], language="fr").get(f"budgets/{world.budget.pk}/estimate"), 200)
    assert body["label"]
    assert body["estimate"] is True


def test_what_cannot_be_estimated_is_named_by_its_parameter(play: Any, call: Any) -> None:
    world = play("work")
    bo = call(world.users["bo"])
    address = f"budgets/{world.budget.pk}/estimate"
    document = {**world.period.charter.document, "kinds": {"development": 1000, "expense": 1000}, "hard_cap": 10_000}
    made = Charter.objects.create(
        id=new_id("cha"), budget=world.budget, version=2, document=document, sha256="0" * 64, created_at=world.now
    )
    Period.objects.filter(pk=world.period.pk).update(charter=made)
    for query, status, code, parameter in [
        ("minutes=-1", 400, "parameter_invalid", "minutes"),
        ("minutes=44641", 400, "parameter_invalid", "minutes"),
        ("minutes=1e3", 400, "parameter_invalid", "minutes"),
        ("minutes=٣", 400, "parameter_invalid", "minutes"),
        ("amount=" + "9" * 30, 400, "parameter_invalid", "amount"),
        ("kind=juggling&minutes=1", 400, "parameter_invalid", "kind"),
        ("minutes=1&minutes=2", 400, "parameter_repeated", "minutes"),
        ("kind=design&minutes=1", 422, "kind_not_in_charter", "kind"),
        ("kind=expense&minutes=1", 422, "expense_has_no_time", "minutes"),
        ("kind=development&amount=10001", 422, "over_the_cap", "amount"),
    ]:
        problem = refused(bo.get(f"{address}?{query}"), status, code)
        assert [one["parameter"] for one in problem["errors"]] == [parameter], query
    refused(call(world.users["ana"]).get(address), 403, "not_allowed")
    refused(call(world.users["claire"]).get(address), 403, "not_allowed")
    Period.objects.filter(pk=world.period.pk).update(state="frozen")
    refused(bo.get(address), 409, "no_open_period")


# --- shares -----------------------------------------------------------------------------------------------------------


def test_shares_are_one_s_own_and_those_of_the_budgets_one_sees(play: Any, call: Any) -> None:
    world = play("settle")
    bo, ana = call(world.users["bo"]), call(world.users["ana"])
    mine = Share.objects.get(contributor=bo.user)
    both = shown(bo.get("shares"), 200)["data"]
    assert {one["contributor"]["name"]: one["amount"]["value"] for one in both} == {
        "Bo Nguyen": 5700,
        "Camille Faure": 3800,
    }
    (own,) = shown(bo.get("shares?contributor=me"), 200)["data"]
    assert own == shown(bo.get(f"shares/{mine.pk}"), 200)
    assert (own["id"], own["state"], own["distribution_state"]) == (mine.pk, "paid", "booked")
    assert own["parts"] == [{"budget": world.budget.pk, "amount": {"value": 5700, "currency": "EUR"}}]
    for query, count in [
        (f"budget={world.budget.pk}", 2), (f"distribution={world.distribution.pk}", 2), ("state=owed", 0),
        (f"contributor={world.users['camille'].pk}", 1), ("budget=bud_" + "0" * 36, 0),
    ]:  # fmt: skip
        assert len(shown(bo.get(f"shares?{query}"), 200)["data"]) == count, query
    refused(ana.get(f"shares/{mine.pk}"), 404, "share_not_found")
    assert shown(ana.get("shares"), 200)["data"] == []
    Role.objects.filter(user=bo.user).delete()
    assert shown(bo.get("shares"), 200)["data"] == both  # whoever a distribution pays reads it


# --- one's own statement ----------------------------------------------------------------------------------------------


def owe(world: Any, user: User, count: int) -> None:
    """Book what is owed to a person, a euro a day, into the days before."""
    payee = payee_of(user, now=world.now)
    for number in range(count):
        lines = [
            Line(open_account(kind="host_fees", owner=world.host.pk, currency="EUR"), 100, "706"),
            Line(open_account(kind="payee", owner=payee.pk, currency="EUR"), -100, "401"),
        ]
        post(
            kind="distribution.approved", scope="tests", key=f"owe-{number}", reference=f"r{number}",
            happened_on=world.today - timedelta(days=number), lines=lines, now=world.now,
        )  # fmt: skip


def test_one_s_statement_has_its_lines_and_the_balances_around_them(play: Any, call: Any) -> None:
    world = play("receive")
    camille, bo = call(world.users["camille"]), call(world.users["bo"])
    owe(world, camille.user, 5)
    whole = shown(camille.get("statement"), 200)
    assert (whole["currency"], whole["currencies"]) == ("EUR", ["EUR"])
    assert (whole["opening"]["value"], whole["closing"]["value"]) == (0, 500)
    assert [one["balance"]["value"] for one in whole["data"]] == [500, 400, 300, 200, 100]
    first, end = world.today - timedelta(days=3), world.today - timedelta(days=1)
    part = shown(camille.get(f"statement?from={first}&to={end}"), 200)
    assert [one["happened_on"] for one in part["data"]] == [f"{end - timedelta(days=1)}", f"{first}"]
    assert (part["opening"]["value"], part["closing"]["value"]) == (100, 300)
    assert [one["balance"]["value"] for one in part["data"]] == [300, 200]
    assert (part["has_more"], part["next_cursor"]) == (False, None)
    seen, path = [], f"statement?limit=2&from={world.today - timedelta(days=3)}"
    while path:
        answer = camille.get(path)
        body = shown(answer, 200)
        seen += body["data"]
        path = answer["Link"].partition("/v1/")[2].partition(">")[0] if body["has_more"] else ""
    assert seen == whole["data"][:4]
    nothing = shown(bo.get("statement"), 200)
    assert (nothing["currencies"], nothing["data"], nothing["closing"]["value"]) == ([], [], 0)
    assert shown(camille.get("statement?currency=CHF"), 200)["data"] == []
    for far in ("from=0001-01-01", "to=9999-12-31"):
        shown(camille.get(f"statement?{far}"), 200)
    same = f"from={world.today}&to={world.today}"
    for query in ("currency=EURO", "from=2026-13-01", same, "cursor=abc"):
        refused(camille.get(f"statement?{query}"), 400, "parameter_invalid")


# --- costs ------------------------------------------------------------------------------------------------------------


def test_one_row_costs_as_many_queries_as_fifty(play: Any, call: Any, django_assert_max_num_queries: Any) -> None:
    world = play("close")
    bo = call(world.users["bo"])
    owe(world, bo.user, 50)
    first = Period.objects.filter(budget=world.budget).order_by("starts_on")[0]
    for number in range(50):
        payee = payee_of(somebody(number), now=world.now)
        Share.objects.create(
            id=new_id("shr"), distribution=world.distribution, contributor=payee.user, payee=payee, asked=1, amount=1
        )
        starts = first.starts_on - timedelta(days=number + 1)
        Period.objects.create(
            id=new_id("per"), budget=world.budget, charter=first.charter, starts_on=starts,
            ends_before=starts + timedelta(days=1), state="booked",
        )  # fmt: skip
        open_envelope(
            actor=world.users["sacha"], parent=world.budget, name=f"E{number}", own_rules=False, now=world.now
        )
    demo.sweep(timezone.now())
    shown(bo.get("me"), 200)
    for path in ("budgets", f"budgets/{world.budget.pk}/periods", "shares", "statement", "events"):
        costs = []
        for rows in (1, 50):
            with CaptureQueriesContext(connection) as asked:
                assert len(shown(bo.get(f"{path}?limit={rows}"), 200)["data"]) == rows, path
            costs.append(len(asked))
        assert costs[0] == costs[1] <= 12, (path, costs)
    with django_assert_max_num_queries(12):
        assert len(shown(bo.get("me"), 200)["budgets"]) == 51


def test_a_token_shows_the_first_budgets_by_name_and_that_there_are_more(
    play: Any, call: Any, monkeypatch: Any, django_assert_max_num_queries: Any
) -> None:
    world = play("make_house")
    monkeypatch.setattr("backend.api.me.MOST_BUDGETS", 3)
    bo = call(world.users["bo"])
    for name in ("Docs", "Art"):
        open_envelope(actor=world.users["sacha"], parent=world.budget, name=name, own_rules=False, now=world.now)
    body = shown(bo.get("me"), 200)
    assert ([one["name"] for one in body["budgets"]], body["more_budgets"]) == (["Art", "Cartolibre", "Docs"], False)
    open_envelope(actor=world.users["sacha"], parent=world.budget, name="Build", own_rules=False, now=world.now)
    with django_assert_max_num_queries(12):
        body = shown(bo.get("me"), 200)
    assert ([one["name"] for one in body["budgets"]], body["more_budgets"]) == (["Art", "Build", "Cartolibre"], True)
