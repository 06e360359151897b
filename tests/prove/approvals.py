"""Two treasurers who press everything at once: each act succeeds exactly once, and the other is told who and when.

    ./run prove approvals [--slice] [--rounds N] [--sessions N] [--seed N]

Each round is a database of its own in which a distribution is approved. Fifty sessions of two treasurers, each with its
own connection, press the same thing through the real pages at the same instant: prepare; approve or refuse; hand the
file over, type its transfers or take the batch back; lock the month. Who was first is drawn by the machine. After each
press: one batch, one decision, one way out, one entry in the books; every other session reads a page that names who was
first and when, and the file in every hand is one and the same. The self-check then finds nothing.
"""

import argparse
import hashlib
import logging
import os
import random
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

TEMPLATE, DATABASE = "tronc_approvals_house", "tronc_approvals"
PATIENCE = 10
AGAIN: list[int] = []  # sessions that were told to try again
WHO_AND_WHEN = r"(Claire Moreau|Denis Caron).{0,120}? (?:on|since) \d{1,2}[\s\u00a0]\w+[\s\u00a0]\d{4}, \d{1,2}:\d{2}"


class Wrong(Exception):
    """Something happened twice, or somebody was told nothing."""


def main(arguments: list[str]) -> int:
    """Run the rounds; the exit code is the number of rounds that failed, at most 100."""
    parser = argparse.ArgumentParser(
        prog="approvals", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seed", type=int, default=20261123, help="who presses what")
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--sessions", type=int, default=50)
    parser.add_argument("--slice", action="store_true", help="two rounds of ten sessions, for CI")
    options = parser.parse_args(arguments)
    rounds, sessions = (2, 10) if options.slice else (options.rounds, options.sessions)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    import django

    django.setup()
    from django.conf import settings
    from django.test.utils import setup_test_environment

    from tests import databases

    setup_test_environment()
    settings.ACCOUNT_RATE_LIMITS = False  # fifty people sign in from one address
    settings.PASSWORD_HASHERS = ["tests.fast.QuickHasher", *settings.PASSWORD_HASHERS]
    logging.disable(logging.WARNING)  # each refusal is one, and they are what is looked at
    databases.make_template()
    begun, wrong = time.monotonic(), 0
    try:
        house = make_house()
        for number in range(rounds):
            databases.clone(DATABASE, TEMPLATE)
            serve(DATABASE)
            try:
                told = one_round(house, sessions, random.Random(options.seed + number))  # noqa: S311  again the same
                print(f"round {number + 1}: right, {told}", flush=True)
            except Exception as failure:
                wrong += 1
                print(f"round {number + 1}: WRONG: {failure!r}"[:3000], flush=True)
            finally:
                serve("")
                databases.drop(DATABASE)
    finally:
        serve("")
        databases.drop(TEMPLATE)
        databases.drop(databases.TEMPLATE)
    seconds = time.monotonic() - begun
    print(f"{rounds - wrong} of {rounds} rounds of {sessions} sessions right, {seconds:.0f} s", flush=True)
    print(f"{len(AGAIN)} presses were told to try again, and did", flush=True)
    return min(100, wrong)


def serve(name: str) -> None:
    """Let all of Django speak to this database; empty: to none."""
    from django.db import connections

    connections.close_all()
    if name:
        connections["default"].settings_dict["NAME"] = name


def make_house() -> Any:
    """The demonstration up to what is owed, kept as a template."""
    from datetime import timedelta

    from django.utils import timezone

    from backend.operations import demo
    from tests import databases

    databases.clone(TEMPLATE)
    serve(TEMPLATE)
    world = demo.World(now=timezone.now() - timedelta(days=40))  # a month ended since: it can be locked
    for step in demo.STEPS[: demo.STEPS.index(demo.pay)]:
        step(world)
    serve("")
    return world


def at_once(sessions: list[Any], act: Callable[[int, Any], Any]) -> list[Any]:
    """What each session is answered when all press at the same instant.

    Fifty that wait for one row on a loaded machine may wait longer than PostgreSQL lets them: they are told to try
    again, that nothing happened, and press once more, as people do.
    """
    from django.db import connections

    start = threading.Barrier(len(sessions))

    def press(number: int) -> Any:
        try:
            start.wait(60)
            for _time in range(PATIENCE):
                answer = act(number, sessions[number])
                if answer.status_code != 503:
                    break
                AGAIN.append(number)
            return answer
        finally:
            connections.close_all()

    with ThreadPoolExecutor(len(sessions)) as pool:
        return list(pool.map(press, range(len(sessions))))


def sign_in(user: Any) -> Any:
    """A session of a treasurer, whose second factor is fresh."""
    from django.core.cache import cache
    from django.test import Client

    from backend.operations import demo

    browser = Client(raise_request_exception=False)
    browser.post("/en/accounts/login/", {"login": user.email, "password": demo.PASSWORD})
    code = demo.code_for(time.time())
    cache.delete(f"allauth.mfa.totp.used?user={user.pk}&code={code}")  # a code serves once: fifty come at once
    if browser.post("/en/accounts/2fa/authenticate/", {"code": code}).status_code != 302:
        raise Wrong(f"{user.email} could not sign in")
    return browser


def one_round(world: Any, number: int, dice: random.Random) -> str:
    """Press everything once; says in one line what was answered. Raises: Wrong."""
    from django.core.cache import cache

    from backend.identity.models import HostBankAccount
    from backend.ledger.models import JournalEntry
    from backend.payouts.models import Payout, PayoutBatch

    cache.clear()
    people = [world.users[("claire", "denis")[place % 2]] for place in range(number)]
    sessions = [sign_in(one) for one in people]
    account = HostBankAccount.objects.get()
    before = JournalEntry.objects.count()

    # --- prepare: one batch; the others read who prepared it
    answers = at_once(
        sessions, lambda place, browser: browser.post(
            "/en/payouts/prepare/", {"account": account.pk, "form_key": f"k{place}"}
        ),
    )  # fmt: skip
    batch = PayoutBatch.objects.get()
    expect(answers, {302: 1, 409: number - 1}, "prepare")
    if batch.prepared_by_id != people[[one.status_code for one in answers].index(302)].pk:
        raise Wrong("prepare: the batch is not of who was told that it is")

    # --- approve or refuse: one decision
    preparer = batch.prepared_by_id
    presses = [dice.choice(["approve", "refuse"]) for _place in people]
    path = f"/en/payouts/{batch.pk}/"
    forms = {"approve": {"digest": batch.digest}, "refuse": {"reason": "a doubt", "seen": "prepared"}}
    answers = at_once(
        sessions, lambda place, browser: browser.post(f"{path}{presses[place]}/", forms[presses[place]])
    )  # fmt: skip
    batch.refresh_from_db()
    decider = batch.approved_by_id if batch.state == "approved" else batch.refused_by_id
    if batch.state not in {"approved", "rejected"}:
        raise Wrong(f"decide: the batch is {batch.state}")
    won = {"approved": "approve", "rejected": "refuse"}[batch.state]
    for place, answer in enumerate(answers):
        mine = people[place].pk == decider and presses[place] == won
        own = presses[place] == "approve" and people[place].pk == preparer
        # The maker's approval is refused as such, or because the other has decided already.
        good = {302} if mine else {403, 409} if own else {409}
        if answer.status_code not in good:
            raise Wrong(f"decide: {presses[place]} was answered {answer.status_code}, expected {good}")
    told(answers, "decide")
    first = f"prepared once, {won}d once"
    if won == "refuse":
        check_nothing_left(before)
        prepare_and_approve(world, sessions, account)
        batch = PayoutBatch.objects.get(state="approved")
        path = f"/en/payouts/{batch.pk}/"

    # --- hand over: one way out
    ways = [dice.choice(["file", "file", "file", "by-hand", "refuse"]) for _place in people]
    sent = {"file": {}, "by-hand": {"act": "show"}, "refuse": {"reason": "a doubt", "seen": "approved"}}
    answers = at_once(sessions, lambda place, browser: browser.post(f"{path}{ways[place]}/", sent[ways[place]]))
    batch.refresh_from_db()
    went = {"sent": "file", "claimed": "by-hand", "rejected": "refuse"}.get(batch.state)
    if went is None:
        raise Wrong(f"hand over: the batch is {batch.state}")
    winner = batch.refused_by_id if went == "refuse" else batch.claimed_by_id
    files = set()
    for place, answer in enumerate(answers):
        right = people[place].pk == winner and ways[place] == went
        wanted = {"refuse": 302}.get(went, 200) if right else 409
        if answer.status_code != wanted:
            raise Wrong(f"hand over: {ways[place]} was answered {answer.status_code}, expected {wanted}")
        if right and went == "file":
            files.add(hashlib.sha256(answer.content).hexdigest())
    told(answers, "hand over")
    entries = JournalEntry.objects.count() - before
    if went == "file" and (files != {batch.digest} or entries != 1):
        raise Wrong(f"hand over: {len(files)} files, {entries} entries")
    if went != "file" and entries:
        raise Wrong(f"hand over: {entries} entries although nothing left")
    left = Payout.objects.filter(batch=batch).values_list("state", flat=True)
    if set(left) != {{"file": "sent", "by-hand": "prepared", "refuse": "cancelled"}[went]}:
        raise Wrong(f"hand over: payouts are {set(left)}")

    lock_month(sessions, people)
    from backend.operations.selfcheck import check

    found = check()
    if found:
        raise Wrong(f"the self-check found {found}")
    return f"{first}, then {went}; a month locked once"


def prepare_and_approve(world: Any, sessions: list[Any], account: Any) -> None:
    """After a refusal, another batch, approved by who did not prepare it."""
    from backend.payouts.models import PayoutBatch

    sessions[0].post("/en/payouts/prepare/", {"account": account.pk, "form_key": "again"})
    batch = PayoutBatch.objects.get(state="prepared")
    sessions[1].post(f"/en/payouts/{batch.pk}/approve/", {"digest": batch.digest})


def lock_month(sessions: list[Any], people: list[Any]) -> None:
    """One asks that a month be locked, the other locks it: each once."""
    from backend.ledger.models import Closing
    from backend.ledger.services import next_month

    month = next_month()
    if month is None:
        raise Wrong("lock: there is no month to lock")
    answers = at_once(
        sessions, lambda _place, browser: browser.post("/en/books/months/lock/", {"month": month.isoformat()})
    )  # fmt: skip
    asked = Closing.objects.get()
    good = Counter(answer.status_code for answer in answers)
    if set(good) - {302, 409}:
        raise Wrong(f"lock: asking was answered {good}")
    answers = at_once(
        sessions,
        lambda _place, browser: browser.post(f"/en/books/months/{asked.pk}/lock/"),
    )
    asked.refresh_from_db()
    if asked.locked_by_id is None or asked.locked_by_id == asked.asked_by_id:
        raise Wrong("lock: the month is not locked by another person")
    for place, answer in enumerate(answers):
        if answer.status_code not in ({403, 409} if people[place].pk == asked.asked_by_id else {302, 409}):
            raise Wrong(f"lock: {people[place].email} was answered {answer.status_code}")


def expect(answers: list[Any], wanted: dict[int, int], what: str) -> None:
    """The statuses are these, and everyone who was refused reads who and when."""
    found = Counter(answer.status_code for answer in answers)
    if found != Counter(wanted):
        raise Wrong(f"{what}: answered {dict(found)}, expected {wanted}")
    told(answers, what)


def told(answers: list[Any], what: str) -> None:
    """Every refusal for what somebody else did names who, and when."""
    import re

    for answer in answers:
        if answer.status_code == 409:
            text = " ".join(answer.content.decode().split())
            if not re.search(WHO_AND_WHEN, re.sub(r"<[^>]+>", "", text)):
                raise Wrong(f"{what}: a refusal names nobody: {re.sub(r'<[^>]+>', ' ', text)[:1500]}")


def check_nothing_left(before: int) -> None:
    """After a refusal nothing is booked, nothing is set aside, all can be paid again."""
    from backend.distributions.models import Share
    from backend.ledger.models import JournalEntry
    from backend.payouts.models import PaidShare

    states = set(Share.objects.values_list("state", flat=True))
    if JournalEntry.objects.count() != before or PaidShare.objects.filter(live=True).exists() or states != {"payable"}:
        raise Wrong(f"refused: entries, links or shares remain ({states})")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
