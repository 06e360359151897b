"""API tokens: made, kept as a hash, refused before any read, warned of their end; and what became of the old ones."""

import re
from collections.abc import Callable
from datetime import timedelta
from importlib import import_module
from types import SimpleNamespace
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction
from django.test.utils import CaptureQueriesContext

from backend.core.errors import Conflict, Invalid, NotFound
from backend.events.models import Event
from backend.identity.models import ApiToken
from backend.identity.tokens import (
    LIVE,
    LIVES,
    TEST,
    TOKENS_PER_PERSON,
    create_token,
    of_another_environment,
    revoke_token,
    token_owner,
    warn_of_end,
)
from backend.notifications.models import OutgoingMail
from backend.notifications.services import compose_due

Play = Callable[..., Any]
COMMONS = "com_" + "0" * 36


def test_a_token_is_shown_once_and_kept_as_a_hash(play: Play) -> None:
    world = play("make_house")
    token, text = create_token(user=world.users["bo"], name="poste", scopes=["contributions:write"], now=world.now)
    assert re.fullmatch(r"tronc_test_[0-9A-HJKMNP-TV-Z]{46}", text)
    assert text not in str(ApiToken.objects.values())
    assert len(token.hint) < 24
    found = token_owner(text, now=world.now)
    assert found is not None
    assert found.user == world.users["bo"]
    assert token_owner(text, now=world.now + timedelta(days=366)) is None
    with pytest.raises(NotFound):
        revoke_token(actor=world.users["camille"], token_id=token.pk, now=world.now)
    revoke_token(actor=world.users["bo"], token_id=token.pk, now=world.now)
    assert token_owner(text, now=world.now) is None
    kinds = list(Event.objects.filter(subject=token.pk).order_by("pk").values_list("kind", flat=True))
    assert kinds == ["token.created", "token.revoked"]


def test_a_token_that_cannot_be_one_is_refused_without_a_read(play: Play) -> None:
    world = play("make_house")
    _token, text = create_token(user=world.users["bo"], name="poste", scopes=["commons:read"], now=world.now)
    last = "0" if text[-1] != "0" else "1"
    wrong = [text[:-1] + last, text[:-1], text + "0", text.lower(), text.replace("tronc_test_", "tronc_live_"), "", "é"]
    wrong += [f"{text[:15]}{'1' if text[15] == '0' else '0'}{text[16:]}", TEST + "0" * 46]
    for one in wrong:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert token_owner(one, now=world.now) is None, one
        assert len(asked) == 0, one
    with CaptureQueriesContext(connection) as asked:
        assert token_owner(text, now=world.now) is not None
    assert len(asked) > 0


def test_a_real_host_and_a_demonstration_refuse_each_other_s_tokens(play: Play, settings: Any) -> None:
    world = play("make_house")
    made = {}
    for prefix, loopback in ((TEST, True), (LIVE, False)):
        settings.LOOPBACK_HTTP = loopback
        _token, made[prefix] = create_token(user=world.users["bo"], name="x", scopes=["log:read"], now=world.now)
        assert made[prefix].startswith(prefix)
    for loopback, demo, own in ((True, False, TEST), (False, True, TEST), (False, False, LIVE)):
        settings.LOOPBACK_HTTP, settings.DEMO = loopback, demo
        for prefix, text in made.items():
            assert (token_owner(text, now=world.now) is not None) == (prefix == own)
            assert of_another_environment(text) == (prefix != own)
            assert not of_another_environment(text[:-1] + "?")


def test_the_minute_of_the_last_use_is_kept(play: Play) -> None:
    world = play("make_house")
    token, text = create_token(user=world.users["bo"], name="x", scopes=["log:read"], now=world.now)
    at = (world.now + timedelta(days=1)).replace(second=0, microsecond=0)
    for seconds, kept in ((5, 0), (50, 0), (65, 60), (30, 60)):  # a late answer never takes the minute back
        assert token_owner(text, now=at + timedelta(seconds=seconds)) is not None
        assert ApiToken.objects.get(pk=token.pk).last_used_at == at + timedelta(seconds=kept)


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"name": " "}, "name_missing"),
        ({"scopes": []}, "scope_unknown"),
        ({"scopes": ["payouts:approve"]}, "scope_unknown"),
        ({"scopes": ["*"]}, "scope_unknown"),
        ({"scopes": ["read"]}, "scope_unknown"),
        ({"days": 0}, "token_life_unknown"),
        ({"days": 366}, "token_life_unknown"),
        ({"only": "com_x"}, "token_only_unknown"),
        ({"only": "bud_" + "0" * 36}, "token_only_unknown"),
        ({"only": "the organisation of others"}, "token_only_unknown"),
    ],
)
def test_a_token_asks_only_for_what_exists(play: Play, changed: dict[str, Any], code: str) -> None:
    world = play("make_house")
    if "only" in changed and " " in changed["only"]:
        changed = {"only": world.organisation.pk}
    facts = {"name": "x", "scopes": ["commons:read"], "now": world.now, **changed}
    with pytest.raises(Invalid) as refusal:
        create_token(user=world.users["bo"], **facts)
    assert refusal.value.code == code
    assert not ApiToken.objects.exists()


def test_a_token_is_held_to_one_s_own_and_lives_a_year_at_most(play: Play) -> None:
    world = play("make_house")
    ana = world.users["ana"]
    for days in LIVES:
        token, _text = create_token(
            user=ana, name="x", scopes=["pledges:read"], only=world.organisation.pk, days=days, now=world.now
        )
        assert (token.only, token.expires_at - token.created_at) == (world.organisation.pk, timedelta(days=days))
    facts = {"user": ana, "name": "x", "digest": "d", "hint": "h", "scopes": [], "created_at": world.now}
    for wrong in ({"expires_at": world.now + timedelta(days=366)}, {"only": "bud_x", "expires_at": world.now}):
        with pytest.raises(IntegrityError), transaction.atomic():
            ApiToken.objects.create(id="tok_x", **facts, **wrong)


def test_nobody_hoards_tokens(play: Play) -> None:
    world = play("make_house")
    facts: dict[str, Any] = {"user": world.users["bo"], "name": "x", "scopes": ["log:read"], "now": world.now}
    for _time in range(TOKENS_PER_PERSON):
        token, _text = create_token(**facts)
    with pytest.raises(Conflict) as refusal:
        create_token(**facts)
    assert refusal.value.code == "too_many_tokens"
    assert ApiToken.objects.count() == TOKENS_PER_PERSON
    revoke_token(actor=facts["user"], token_id=token.pk, now=world.now)
    create_token(**facts)


def test_no_scope_decides_over_money() -> None:
    verbs = {scope.partition(":")[2] for scope, _label in ApiToken.SCOPES}
    assert verbs == {"read", "write", "review", "close"}
    writes = {scope for scope, _label in ApiToken.SCOPES if not scope.endswith(":read")}
    assert writes == {
        "contributions:write", "contributions:review", "pledges:write", "periods:close", "distributions:write",
    }  # fmt: skip


def test_the_owner_is_told_once_a_week_before_the_end(play: Play) -> None:
    world = play("make_house")
    bo = world.users["bo"]
    facts: dict[str, Any] = {"user": bo, "scopes": ["log:read"], "now": world.now}
    create_token(name="laptop", days=30, **facts)
    create_token(name="server", days=90, **facts)
    gone, _text = create_token(name="gone", days=30, **facts)
    revoke_token(actor=bo, token_id=gone.pk, now=world.now)
    eve = world.now + timedelta(days=23)
    assert warn_of_end(eve - timedelta(seconds=1)) == 0
    assert (warn_of_end(eve), warn_of_end(eve), warn_of_end(world.now + timedelta(days=31))) == (1, 0, 0)
    compose_due(eve)
    (mail,) = OutgoingMail.objects.filter(subject__contains="laptop")
    assert mail.recipient == bo.email
    assert "/fr/tokens/" in mail.body


def test_old_tokens_keep_what_they_could_do(play: Play) -> None:
    world = play("make_house")
    migration = import_module("backend.identity.migrations.0003_tokens")
    reads = {scope for scope, _label in ApiToken.SCOPES if scope.endswith(":read")}
    reads -= {"ledger:read", "statement:read", "events:read"}
    known = {
        ("read",): reads,
        ("contributions:write", "reviews:write"): {"contributions:write", "contributions:review"},
        ("ledger:read", "periods:write", "pledges:write"): {"ledger:read", "periods:close", "pledges:write"},
    }
    rows = {}
    for number, old in enumerate(known):
        token, _text = create_token(user=world.users["bo"], name=str(number), scopes=["log:read"], now=world.now)
        ApiToken.objects.filter(pk=token.pk).update(scopes=list(old))
        rows[token.pk] = old

    class Old:
        """Tokens as they were: with the day of the last use."""

        @staticmethod
        def get_model(_app: str, _name: str) -> Any:
            found: list[Any] = list(apps.get_model("identity", "ApiToken").objects.filter(pk__in=rows))
            for one in found:
                one.last_used_on = world.today if one.name == "0" else None
            return SimpleNamespace(objects=SimpleNamespace(all=lambda: found))

    migration.carry_over(Old(), None)
    for pk, old in rows.items():
        after = ApiToken.objects.get(pk=pk)
        assert set(after.scopes) == known[old]
        assert (after.last_used_at.date() if after.last_used_at else None) == (
            world.today if after.name == "0" else None
        )
