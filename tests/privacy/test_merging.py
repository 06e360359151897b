"""Two accounts of one person: both confirm, work under way goes over, money and roles do not, nothing by halves."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from allauth.account.models import EmailAddress
from allauth.usersessions.models import UserSession
from django.contrib.sessions.models import Session
from django.core import signing
from django.db import DatabaseError, transaction

from backend.contributions.following import follow_merge
from backend.contributions.models import Adjustment, Contribution, Objection, Question, Review
from backend.contributions.own import draft
from backend.contributions.peers import ask_question, object_to
from backend.contributions.recording import give_contributor_address, record_contribution
from backend.contributions.repositories import link_address, person_of
from backend.contributions.services import review, withdraw
from backend.core.errors import Conflict, DomainError, Forbidden, NotFound
from backend.core.ids import new_id
from backend.events.models import Event
from backend.identity.inviting import Named
from backend.identity.merges import ask_merge, awaited_merge, merge_token, withdraw_merge
from backend.identity.models import PersonMerge, Recording, Role, User
from backend.identity.recordings import Told
from backend.identity.services import grant_role
from backend.identity.tokens import create_token, token_owner
from backend.ledger.services import last_seal
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due
from backend.operations import demo
from backend.pledges.services import make_pledge
from backend.privacy.erasure import SECOND_THOUGHTS, ask_erasure, erase_due
from backend.privacy.export import gathered
from backend.privacy.merging import confirm_merge, going, merge_hindrances
from tests.concurrency import at_once
from tests.contributions.test_contributions import say, under
from tests.work import bring_to

Play = Callable[..., Any]
DAY = timedelta(days=1)


def other_account(world: Any, name: str = "bo2") -> User:
    """A second account of Bo, who declares there too."""
    made = User.objects.create_user(f"{name}@example.net", demo.PASSWORD, name="Bo Nguyen", language="en")
    EmailAddress.objects.create(user=made, email=made.email, verified=True, primary=True)
    grant_role(user=made, kind="contributor", scope=world.budget.pk, granted_by=None, now=world.now)
    return made


def merged(keep: User, other: User, now: Any) -> PersonMerge:
    """Both steps."""
    return confirm_merge(
        actor=other, token=merge_token(ask_merge(actor=keep, address=other.email, now=now)), now=now
    )  # fmt: skip


def refused(world: Any, keep: User, other: User, code: str) -> None:
    """The merge is refused with a code, and nothing changed."""
    row = ask_merge(actor=keep, address=other.email, now=world.now)
    before = list(Contribution.objects.order_by("pk").values()), list(Role.objects.order_by("pk").values())
    assert code in [one.code for one in merge_hindrances(keep, other)]
    with pytest.raises(Conflict) as refusal:
        confirm_merge(actor=other, token=merge_token(row), now=world.now)
    assert refusal.value.code == code
    other.refresh_from_db()
    row.refresh_from_db()
    assert (other.is_active, other.merged_into, row.state) == (True, None, "awaited")
    assert (list(Contribution.objects.order_by("pk").values()), list(Role.objects.order_by("pk").values())) == before
    assert not Event.objects.filter(kind="person.merged").exists()


def test_work_under_way_goes_over_with_what_peers_said(play: Play, sign_in: Any) -> None:
    world = play("make_house")
    bo, sacha, camille, now = world.users["bo"], world.users["sacha"], world.users["camille"], world.now
    under(world, review={"mode": "approvals", "approvals": 2})
    two = other_account(world)
    reviewed = say(world, actor=two, amount=10_00)
    asked = say(world, actor=two, amount=11_00, form_key="asked")
    valid = say(world, actor=two, amount=12_00, form_key="valid")
    gone = say(world, actor=two, amount=13_00, form_key="gone")
    say(world)  # with the same key as the first of the other account
    review(actor=sacha, contribution_id=reviewed.pk, verdict="approve", now=now)
    ask_question(actor=camille, contribution_id=asked.pk, text="Which file?", now=now)
    for steward in (sacha, world.users["claire"]):
        said(valid, steward, now)
    Contribution.objects.filter(pk=valid.pk).update(state="validated", validated_at=now)
    noted = draft(
        contributor=two, budget=world.budget, source="", form_key="draft", now=now,
        facts={"worked_on": world.today, "description": "Noted"},
    )  # fmt: skip
    withdraw(actor=two, contribution_id=gone.pk, now=now)
    link_address(actor=two, address="bo@forge.example", now=now)
    _token, text = create_token(user=two, name="editor", scopes=["contributions:write"], now=now)
    browser = sign_in(two)
    assert browser.get("/en/work/").status_code == 200
    assert (going(two).work, going(two).drafts, [one["kind"] for one in going(two).roles]) == (3, 1, ["contributor"])

    done = merged(bo, two, now)

    two.refresh_from_db()
    assert (done.state, two.is_active, two.merged_into_id, two.has_usable_password()) == ("merged", False, bo.pk, False)
    mine = set(Contribution.objects.filter(contributor=bo).values_list("pk", flat=True))
    assert mine >= {reviewed.pk, asked.pk, valid.pk, noted.pk}
    assert len(mine) == 5
    assert list(Contribution.objects.filter(contributor=two).values_list("pk", flat=True)) == [gone.pk]
    assert Review.objects.get(contribution=reviewed).contributor == bo
    assert Question.objects.get(contribution=asked).contributor == bo
    assert not Role.objects.filter(user=two).exists()
    assert person_of(("bo@forge.example",)) == bo
    assert person_of(("bo2@example.net",)) == bo
    assert token_owner(text, now=now) is None
    assert not UserSession.objects.filter(user=two).exists()
    assert not Session.objects.filter(session_key=browser.session.session_key).exists()
    assert browser.get("/en/work/").status_code == 302
    event = Event.objects.get(kind="person.merged")
    assert (event.actor_id, event.subject, event.after) == (two.pk, two.pk, {"merged_into": bo.pk})
    assert world.budget.pk in event.scopes
    assert [row["id"] for row in gathered(bo)["merged_accounts"]] == [two.pk]
    with pytest.raises(Forbidden) as own:  # what goes over is theirs: they do not review it
        grant_role(user=bo, kind="steward", scope=world.budget.pk, granted_by=None, now=now)
        demo.give_factor(bo)
        review(actor=bo, contribution_id=reviewed.pk, verdict="approve", now=now)
    assert own.value.code == "own_contribution"


def test_mail_goes_to_both_addresses_at_each_step_and_the_link_to_one(play: Play) -> None:
    world = play("make_house")
    bo, now = world.users["bo"], world.now
    two = other_account(world)
    compose_due(now)
    OutgoingMail.objects.all().delete()

    def sent() -> dict[str, str]:
        compose_due(now)
        found = {one.recipient: one.body for one in OutgoingMail.objects.all()}
        OutgoingMail.objects.all().delete()
        return found

    row = ask_merge(actor=bo, address=" BO2@example.net", now=now)
    letters = sent()
    assert set(letters) == {bo.email, two.email}
    assert f"/account/merge/{merge_token(row)}/" in letters[two.email]
    assert merge_token(row) not in letters[bo.email]
    withdraw_merge(actor=bo, merge_id=row.pk, now=now)
    assert set(sent()) == {bo.email, two.email}
    row = ask_merge(actor=bo, address=two.email, now=now)
    sent()
    confirm_merge(actor=two, token=merge_token(row), now=now)
    assert set(sent()) == {bo.email, "bo2@example.net"}


def test_an_address_without_an_account_is_answered_like_one_that_has_one(play: Play) -> None:
    world = play("make_house")
    bo, sacha, now = world.users["bo"], world.users["sacha"], world.now
    two = other_account(world)

    def seen(actor: User, address: str) -> Any:
        """What whoever asked can read of it: their row, their export, their mail, each without the address itself."""
        row = ask_merge(actor=actor, address=address, now=now)
        compose_due(now)
        told = gathered(actor)
        events = [(one["kind"], one["data"]) for one in told["done_by_me"] + told["done_about_me"]]
        mail = OutgoingMail.objects.get(recipient=actor.email, subject__contains="two accounts").body
        return [
            repr(one).replace(address, "").replace(row.pk, "").replace(actor.name, "")
            for one in (told["merges_asked"], [one for one in events if "merge" in one[0]], mail)
        ]

    User.objects.filter(pk__in=[bo.pk, sacha.pk]).update(language="en")
    assert seen(User.objects.get(pk=bo.pk), two.email) == seen(User.objects.get(pk=sacha.pk), "nobody@example.net")
    assert OutgoingMail.objects.filter(recipient="nobody@example.net").count() == 0


def test_one_asks_once_and_not_of_oneself(play: Play) -> None:
    world = play("make_house")
    bo, now = world.users["bo"], world.now
    two = other_account(world)
    for address, code in ((bo.email.upper(), "merge_with_oneself"), ("nobody", "email_invalid")):
        with pytest.raises(DomainError) as refusal:
            ask_merge(actor=bo, address=address, now=now)
        assert refusal.value.code == code
    assert not PersonMerge.objects.exists()
    first = ask_merge(actor=bo, address=two.email, now=now)
    with pytest.raises(Conflict) as refusal:
        ask_merge(actor=bo, address="third@example.net", now=now)
    assert (refusal.value.code, PersonMerge.objects.count()) == ("merge_awaited", 1)
    assert ask_merge(actor=bo, address="third@example.net", now=now + 7 * DAY).state == "awaited"
    first.refresh_from_db()
    assert first.state == "expired"


def test_a_link_works_for_the_other_account_alone_and_for_seven_days(play: Play) -> None:
    world = play("make_house")
    bo, sacha, now = world.users["bo"], world.users["sacha"], world.now
    two = other_account(world)
    row = ask_merge(actor=bo, address=two.email, now=now)
    token = merge_token(row)
    late = now + 7 * DAY
    for actor, text, at, code in (
        (sacha, token, now, "merge_not_found"),
        (bo, token, now, "merge_other_account"),
        (two, token + "x", now, "merge_not_found"),
        (two, signing.dumps([row.pk, 1], salt="other"), now, "merge_not_found"),
        (two, token, late, "merge_not_found"),
    ):
        with pytest.raises(DomainError) as refusal:
            confirm_merge(actor=actor, token=text, now=at)
        assert refusal.value.code == code
    two.refresh_from_db()
    assert two.is_active
    assert awaited_merge(bo, now=late) is None
    with pytest.raises(NotFound):
        withdraw_merge(actor=sacha, merge_id=row.pk, now=now)
    with pytest.raises(Conflict):
        withdraw_merge(actor=bo, merge_id=row.pk, now=late)
    withdraw_merge(actor=bo, merge_id=row.pk, now=now)
    with pytest.raises(NotFound):
        confirm_merge(actor=two, token=token, now=now)
    assert confirm_merge(
        actor=two, token=merge_token(ask_merge(actor=bo, address=two.email, now=now)), now=late - timedelta(seconds=1)
    ).state == "merged"  # fmt: skip


@pytest.mark.parametrize("who", ["keep", "other"])
@pytest.mark.parametrize("what", ["review", "question", "objection", "recorded"])
def test_nobody_spoke_of_their_own_work_by_two_accounts(play: Play, who: str, what: str) -> None:
    world = play("make_house")
    bo, two, now = world.users["bo"], other_account(world), world.now
    author, peer = (two, bo) if who == "keep" else (bo, two)
    if what == "objection":
        under(world, review={"mode": "consent", "days": 7})
    work = say(world, actor=author, description="The export")
    if what == "review":
        grant_role(user=peer, kind="steward", scope=world.budget.pk, granted_by=None, now=now)
        demo.give_factor(peer)
        review(actor=peer, contribution_id=work.pk, verdict="approve", now=now)
    elif what == "question":
        ask_question(actor=peer, contribution_id=work.pk, text="Why?", now=now)
    elif what == "objection":
        object_to(actor=peer, contribution_id=work.pk, reason="Not done", now=now)
    else:
        grant_role(user=peer, kind="steward", scope=world.budget.pk, granted_by=None, now=now)
        demo.give_factor(peer)
        record_contribution(
            actor=peer, budget=world.budget, form_key="r", now=now, contributor_id=author.pk,
            facts={"worked_on": world.today, "kind": "review", "description": "The export", "minutes": 60},
            told=Told("call", world.today),
        )  # fmt: skip
    refused(world, bo, two, "merge_own_review")
    assert "“The export”" in str(next(merge_hindrances(bo, two)))


def test_what_postgresql_holds_when_a_review_of_ones_own_would_come_of_it(play: Play) -> None:
    world = play("make_house")
    bo, two = world.users["bo"], other_account(world)
    work = say(world, actor=two)
    bring_to("validated", work, reviewer=bo, now=world.now)
    with pytest.raises(DatabaseError, match="not merged"), transaction.atomic():
        follow_merge(two, bo, now=world.now)
    User.objects.filter(pk=two.pk).update(is_active=False, merged_into=bo)
    with pytest.raises(DatabaseError, match="nobody_reviews_their_own"), transaction.atomic():
        follow_merge(two, bo, now=world.now)
    for change in ({"merged_into": None}, {"merged_into": world.users["sacha"]}, {"is_active": True}):
        with pytest.raises(DatabaseError, match="merged"), transaction.atomic():
            User.objects.filter(pk=two.pk).update(**change)
    with pytest.raises(Conflict) as refusal:  # it was being sent
        say(world, actor=two, form_key="late")
    assert refusal.value.code == "account_merged"
    assert Contribution.objects.get() == work


def test_one_person_has_one_voice_after_a_merge(play: Play) -> None:
    world = play("make_house")
    sacha, camille, now = world.users["sacha"], world.users["camille"], world.now
    under(world, review={"mode": "approvals", "approvals": 2})
    two = other_account(world, "sacha2")
    for one in (two, camille):
        grant_role(user=one, kind="steward", scope=world.budget.pk, granted_by=None, now=now)
        demo.give_factor(one)
    work, both = say(world), say(world, form_key="both")
    for contribution, reviewer in ((work, two), (both, two), (both, sacha)):
        review(actor=reviewer, contribution_id=contribution.pk, verdict="approve", now=now)
    refused(world, sacha, two, "merge_reviewed_twice")
    withdraw(actor=world.users["bo"], contribution_id=both.pk, now=now)
    confirm_merge(actor=two, token=merge_token(PersonMerge.objects.get()), now=now)
    with pytest.raises(Conflict) as refusal:
        review(actor=sacha, contribution_id=work.pk, verdict="approve", now=now)
    assert refusal.value.code == "already_reviewed"
    with pytest.raises(DatabaseError, match="spoke already"), transaction.atomic():
        said(work, sacha, now)
    review(actor=camille, contribution_id=work.pk, verdict="approve", now=now)
    work.refresh_from_db()
    assert work.state == "validated"


def said(work: Contribution, reviewer: User, now: Any) -> None:
    """An approval, as PostgreSQL takes it."""
    Review.objects.create(
        id=new_id("rev"), contribution=work, contributor_id=work.contributor_id, reviewer=reviewer, verdict="approve",
        version=work.version, created_at=now,
    )  # fmt: skip


def test_money_under_way_stops_a_merge(play: Play) -> None:
    world = play("close")
    bo, camille = world.users["bo"], world.users["camille"]
    assert Contribution.objects.filter(contributor=camille, state="included").exists()
    refused(world, bo, camille, "merge_being_shared")


def test_money_owed_stops_a_merge_until_it_is_paid(play: Play) -> None:
    world = play("approve_distribution")
    refused(world, world.users["bo"], world.users["camille"], "merge_money_owed")


def test_what_is_paid_stays_booked_under_the_account_that_ends(play: Play) -> None:
    world = play("settle")
    bo, camille, now = world.users["bo"], world.users["camille"], world.now
    paid = list(Contribution.objects.filter(contributor=camille, state="settled").values_list("pk", flat=True))
    assert paid
    heads = repr(last_seal())
    merged(bo, camille, now)
    assert list(Contribution.objects.filter(contributor=camille).values_list("pk", flat=True)) == paid
    assert repr(last_seal()) == heads
    bo.refresh_from_db()
    assert [one["name"] for one in gathered(bo)["merged_accounts"]] == [camille.name]


def adjusted(world: Any, person: User, **facts: Any) -> None:
    """Too much was given for work of somebody."""
    work = Contribution.objects.filter(contributor=person, state="settled")[0]
    Adjustment.objects.create(
        id=new_id("adj"), contribution=work, contributor=person, amount=1, amount_left=1, reason="Counted twice",
        form_key="a", created_at=world.now, **{"proposed_by": world.users["sacha"], "decided_at": world.now, **facts},
    )  # fmt: skip


def gift(world: Any, person: User) -> None:
    """A gift in their own name, not received."""
    make_pledge(
        actor=person, person=person, budget=world.budget, amount=10_00, currency="EUR", form_key="g", now=world.now
    )  # fmt: skip


def objected(world: Any, person: User) -> None:
    """They object to work of Camille, which waits."""
    work = Contribution.objects.filter(contributor=world.users["camille"])[0]
    Objection.objects.create(
        id=new_id("obj"), contribution=work, contributor=work.contributor, objector=person, reason="No",
        created_at=world.now,
    )  # fmt: skip


def named(world: Any, person: User, kind: str, scope: str) -> None:
    """They hold a role."""
    grant_role(user=person, kind=kind, scope=scope, granted_by=None, now=world.now)


def alone(world: Any, person: User) -> None:
    """They alone take care of the pot."""
    Role.objects.filter(kind="steward").delete()
    named(world, person, "steward", world.budget.pk)


def corrected(world: Any, person: User) -> None:
    """They said what was forgotten in work that is shared out."""
    booked = Contribution.objects.filter(contributor=person, state="settled")[0]
    period = world.budget.periods.filter(state="open")[0]
    Contribution.objects.create(
        id=new_id("ctr"), budget=world.budget, period=period, contributor=person, worked_on=booked.worked_on,
        kind=booked.kind, minutes=10, currency="EUR", description="Forgotten", corrects=booked, form_key="c",
        created_at=world.now,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("code", "make"),
    [
        ("merge_kept_back", lambda world, other: adjusted(world, other, state="agreed", decided_by=world.users["ana"])),
        ("merge_kept_back", adjusted),
        ("merge_begun", lambda world, other: adjusted(world, world.users["camille"], proposed_by=other)),
        ("merge_pledge_awaited", gift),
        ("merge_objection_open", objected),
        ("merge_erasure_waits", lambda world, other: ask_erasure(user=other, typed=other.email, now=world.now)),
        ("merge_host_role", lambda world, other: named(world, other, "auditor", world.host.pk)),
        ("merge_only_holder", alone),
        ("merge_correction_waits", corrected),
    ],
)  # fmt: skip
def test_what_would_be_lost_stops_a_merge(play: Play, code: str, make: Callable[[Any, User], Any]) -> None:
    world = play("settle")
    bo = world.users["bo"]
    two = world.users["camille"] if code in {"merge_kept_back", "merge_correction_waits"} else other_account(world)
    make(world, two)
    refused(world, bo, two, code)


def test_two_merges_that_cross_each_other_end_one_way(committed: str, play: Play) -> None:
    world = play("make_house")
    bo, now = world.users["bo"], world.now
    two = other_account(world)
    say(world)
    say(world, actor=two, form_key="two")
    asked = [ask_merge(actor=bo, address=two.email, now=now), ask_merge(actor=two, address=bo.email, now=now)]
    tokens, actors = [merge_token(row) for row in asked], [two, bo]

    def act(number: int) -> str:
        side = number % 2
        return confirm_merge(actor=actors[side], token=tokens[side], now=now).state

    found = at_once(act, times=6)
    assert found.count("merged") == 1, found
    assert set(found) <= {"merged", "merge_over", "merge_not_found", "not_allowed"}
    people = User.objects.filter(pk__in=[bo.pk, two.pk])
    kept = people.get(is_active=True)
    assert people.get(is_active=False).merged_into == kept
    assert set(Contribution.objects.values_list("contributor", flat=True)) == {kept.pk}
    assert set(PersonMerge.objects.values_list("state", flat=True)) == {"merged", "withdrawn"}


def test_work_declared_at_the_moment_of_a_merge_is_on_the_account_that_stays_or_refused(
    committed: str, play: Play
) -> None:
    world = play("make_house")
    bo, now = world.users["bo"], world.now
    two = other_account(world)
    token = merge_token(ask_merge(actor=bo, address=two.email, now=now))

    def act(number: int) -> str:
        if number == 0:
            return confirm_merge(actor=two, token=token, now=now).state
        return say(world, actor=two, form_key=f"k{number}").state

    found = at_once(act, times=6)
    assert set(found) <= {"merged", "declared", "account_merged", "merge_busy", "not_allowed"}, found
    if "merged" in found:
        assert not Contribution.objects.filter(contributor=two).exists()
        assert Contribution.objects.filter(contributor=bo).count() == found.count("declared")


def test_a_merge_waits_for_nobody_who_holds_the_work(committed: str, play: Play) -> None:
    world = play("make_house")
    bo, now = world.users["bo"], world.now
    two = other_account(world)
    work = say(world, actor=two)
    token = merge_token(ask_merge(actor=bo, address=two.email, now=now))
    with transaction.atomic():
        Contribution.objects.select_for_update().get(pk=work.pk)
        assert at_once(lambda _number: confirm_merge(actor=two, token=token, now=now), times=1) == ["merge_busy"]
    assert confirm_merge(actor=two, token=token, now=now).state == "merged"


def test_an_account_that_was_merged_is_erased_with_the_one_that_stays(play: Play) -> None:
    world = play("make_house")
    bo, now = world.users["bo"], world.now
    first, two = other_account(world, "bo3"), other_account(world)
    merged(two, first, now)
    merged(bo, two, now)
    assert set(User.objects.filter(merged_into=bo)) == {first, two}
    erasure = ask_erasure(user=bo, typed=bo.email, now=now)
    erase_due(now + SECOND_THOUGHTS)
    erasure.refresh_from_db()
    assert erasure.done_at is not None
    assert not User.objects.filter(name="Bo Nguyen").exists()
    assert not PersonMerge.objects.exclude(address="").exists()


def test_recorded_work_of_somebody_who_has_another_account_goes_there(play: Play) -> None:
    world = play("make_house")
    bo, sacha, now = world.users["bo"], world.users["sacha"], world.now
    facts = {"worked_on": world.today, "kind": "review", "description": "On paper", "minutes": 60}
    made = record_contribution(
        actor=sacha, budget=world.budget, facts=facts, told=Told("paper", world.today), form_key="r", now=now,
        somebody=Named("Bo Nguyen", "bo.paper@example.net"),
    )  # fmt: skip
    two = made.contributor
    assert not two.has_usable_password()
    asked = ask_merge(actor=bo, address="bo.paper@example.net", now=now)
    assert asked.other == two
    EmailAddress.objects.filter(user=two).update(verified=True)  # as the code of a sign-in does
    confirm_merge(actor=two, token=merge_token(asked), now=now)
    made.refresh_from_db()
    row = Recording.objects.get(subject=made.pk)
    assert (made.contributor, row.asked, row.on_behalf_of) == (bo, bo, bo.pk)


def test_reviewed_work_of_somebody_without_an_address_goes_to_their_account(play: Play) -> None:
    world = play("make_house")
    bo, sacha, claire, now = world.users["bo"], world.users["sacha"], world.users["claire"], world.now
    under(world, review={"mode": "approvals", "approvals": 2})
    told = Told("paper", world.today, confirm_by="letter")
    facts = {"worked_on": world.today, "kind": "review", "description": "On paper", "minutes": 60}
    made = record_contribution(
        actor=claire, budget=world.budget, facts=facts, told=told, form_key="r", now=now, somebody=Named("Lou", ""),
    )  # fmt: skip
    review(actor=sacha, contribution_id=made.pk, verdict="approve", now=now)
    row, lou = Recording.objects.get(subject=made.pk), made.contributor
    for wrong in (sacha, claire):  # they reviewed, and recorded
        with pytest.raises(DomainError) as refusal, transaction.atomic():
            give_contributor_address(actor=claire, recording_id=row.pk, email=wrong.email, now=now)
        assert refusal.value.code in {"address_of_another", "recorded_for_oneself"}
    made.refresh_from_db()
    assert made.contributor == lou
    assert give_contributor_address(actor=claire, recording_id=row.pk, email=bo.email, now=now) == bo
    made.refresh_from_db()
    lou.refresh_from_db()
    assert (made.contributor, Review.objects.get().contributor, lou.merged_into) == (bo, bo, bo)


def test_nothing_of_a_recorded_person_moves_while_it_is_shared(play: Play) -> None:
    world = play("make_house")
    bo, claire, now = world.users["bo"], world.users["claire"], world.now
    told = Told("paper", world.today, confirm_by="letter")
    facts = {"worked_on": world.today, "kind": "review", "description": "On paper", "minutes": 60}
    made = record_contribution(
        actor=claire, budget=world.budget, facts=facts, told=told, form_key="r", now=now, somebody=Named("Lou", ""),
    )  # fmt: skip
    bring_to("included", made, reviewer=world.users["sacha"], now=now)
    row = Recording.objects.get(subject=made.pk)
    with pytest.raises(Conflict) as refusal:
        give_contributor_address(actor=claire, recording_id=row.pk, email=bo.email, now=now)
    assert refusal.value.code == "address_while_paid"
    made.refresh_from_db()
    assert made.contributor.is_active
    assert made.contributor.merged_into is None
