"""Objections to a published distribution and shares given back, through the API: by those they belong to alone."""

from typing import Any

from django.utils import timezone

from backend.distributions.models import Distribution, DistributionObjection, Share, ShareWaiver
from backend.distributions.services import approve, close_period
from backend.ledger.services import balance, entry_count
from backend.operations.demo import sweep
from tests.api.conftest import refused, shown

RIGHTS = ["distributions:read", "distributions:write"]


def published(world: Any) -> Distribution:
    close_period(actor=world.users["claire"], period_id=world.period.pk, now=timezone.now())
    sweep(timezone.now())
    return Distribution.objects.get(period=world.period)


def booked_share(world: Any) -> Share:
    """What bo is owed."""
    made = published(world)
    approve(actor=world.users["denis"], distribution_id=made.pk, digest=made.digest, now=timezone.now())
    return Share.objects.get(distribution=made, contributor=world.users["bo"])


def test_an_objection_is_raised_read_and_lifted(play: Any, call: Any) -> None:
    world = play("work")
    made = published(world)
    bo, claire = call(world.users["bo"], RIGHTS), call(world.users["claire"], RIGHTS)
    address, entries = f"distributions/{made.pk}/objections", entry_count()
    said = {"digest": made.digest, "reason": "Two days are missing"}
    answer = bo.post(address, said, key="no")
    body = shown(answer, 201)
    assert answer["Location"] == f"/v1/distributions/{made.pk}"
    (one,) = body["objections"]
    assert (one["objector"]["id"], one["reason"], one["state"]) == (world.users["bo"].pk, said["reason"], "open")
    assert (one["digest"], one["ended_at"], one["opinions"]) == (made.digest, None, [])
    assert shown(claire.get(f"distributions/{made.pk}"), 200)["objections"] == [one]
    again = bo.post(address, said, key="no")
    assert (again.content, again["Idempotent-Replayed"]) == (answer.content, "true")
    refused(bo.post(address, said, key="other"), 409, "already_objected")
    lifting = f"{address}/{one['id']}/lifting"
    refused(call(world.users["sacha"], RIGHTS).post(lifting), 403, "objection_of_another")
    assert DistributionObjection.objects.get().state == "open"
    (ended,) = shown(bo.post(lifting), 201)["objections"]
    assert (ended["state"], ended["ended_at"] is None) == ("lifted", False)
    assert entry_count() == entries


def test_what_cannot_be_objected_leaves_nothing(play: Any, call: Any) -> None:
    world = play("work")
    made = published(world)
    bo = call(world.users["bo"], RIGHTS)
    address = f"distributions/{made.pk}/objections"
    said = {"digest": made.digest, "reason": "No"}
    refused(bo.post(address, {**said, "digest": "0" * 64}), 409, "distribution_changed")
    refused(bo.post(address, {**said, "reason": " "}), 422, "said_length")
    refused(bo.post(address, {"reason": "No"}), 422, "invalid_fields")
    refused(call(world.users["claire"], RIGHTS).post(address, said), 403, "not_allowed")
    refused(call(world.users["ana"], RIGHTS).post(address, said), 404, "distribution_not_found")
    refused(call(world.users["bo"], ["distributions:read"]).post(address, said), 403, "scope_missing")
    refused(bo.post(f"{address}/dob_{'0' * 36}/lifting"), 404, "objection_not_found")
    assert not DistributionObjection.objects.exists()


def test_a_share_is_given_back_in_part_then_whole(play: Any, call: Any) -> None:
    world = play("work")
    share = booked_share(world)
    bo = call(world.users["bo"], RIGHTS)
    address = f"shares/{share.pk}/waivers"
    pot = {"kind": "budget", "owner": world.budget.pk, "currency": "EUR"}
    before = balance(**pot)
    some = {"amount": {"value": 10_00, "currency": "EUR"}}
    answer = bo.post(address, some, key="some")
    body = shown(answer, 201)
    assert (body["state"], body["waived"]) == ("owed", {"value": 10_00, "currency": "EUR"})
    (waiver,) = body["waivers"]
    assert (waiver["amount"], waiver["parts"]) == (some["amount"], [{"budget": world.budget.pk, **some}])
    assert bo.post(address, some, key="some").content == answer.content
    assert balance(**pot) == before + 10_00
    rest = shown(bo.post(address, {}, key="rest"), 201)
    assert (rest["state"], rest["waived"]) == ("waived", rest["amount"])
    assert shown(bo.get(f"shares/{share.pk}"), 200) == rest
    assert balance(**pot) == before + share.amount
    refused(bo.post(address, {}, key="more"), 409, "share_not_waivable")
    shares = shown(bo.get(f"distributions/{share.distribution_id}"), 200)["shares"]
    (listed,) = [one for one in shares if one["id"] == share.pk]
    assert (listed["state"], listed["waived"]) == ("waived", rest["waived"])


def test_what_cannot_be_given_back_stays(play: Any, call: Any) -> None:
    world = play("work")
    share = booked_share(world)
    entries, address = entry_count(), f"shares/{share.pk}/waivers"
    bo = call(world.users["bo"], RIGHTS)

    def some(value: int, currency: str = "EUR") -> dict[str, Any]:
        return {"amount": {"value": value, "currency": currency}}

    refused(bo.post(address, some(share.amount + 1)), 422, "waived_more_than_due")
    refused(bo.post(address, some(0)), 422, "amount_out_of_range")
    refused(bo.post(address, some(10_00, "USD")), 422, "other_currency")
    refused(call(world.users["sacha"], RIGHTS).post(address, {}), 403, "share_of_another")
    refused(call(world.users["ana"], RIGHTS).post(address, {}), 404, "share_not_found")
    refused(call(world.users["bo"], ["distributions:read"]).post(address, {}), 403, "scope_missing")
    share.refresh_from_db()
    assert (share.waived, share.state, entry_count()) == (0, "owed", entries)
    assert not ShareWaiver.objects.exists()
