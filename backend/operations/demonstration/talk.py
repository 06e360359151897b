"""What peers ask of each other in the last days: a question, an objection, a draft from a forge, a statement round."""

import hashlib
import hmac
import json
from datetime import datetime, timedelta

from backend.contributions.deliveries import receive_delivery, treat_forges
from backend.contributions.models import Contribution
from backend.contributions.peers import ask_question, object_to
from backend.contributions.repositories import connect_repository
from backend.contributions.rounds import answer_round, known_of, open_round
from backend.operations.demonstration import cast, movilab, others
from backend.operations.demonstration.year import Year

FORGE = "https://forge.example/cartolibre/atlas"  # a name that no network has


def talk(year: Year, now: datetime) -> None:
    """All that follows, in the last hours before `now`."""
    ask_question(
        actor=year.users["elodie"], contribution_id=_waiting(year, "identite", "fatou").pk,
        text="Le gabarit est-il aussi déposé dans le dossier partagé, avec ses sources ?", now=now - timedelta(hours=9),
    )  # fmt: skip
    object_to(
        actor=year.users["yoann"], contribution_id=_waiting(year, "technique", "bo").pk,
        reason="Le samedi, la permanence est assurée par deux personnes : qui d’autre la déclare ?",
        now=now - timedelta(hours=7),
    )  # fmt: skip
    _commit(year, now - timedelta(hours=5))
    _round(year, now - timedelta(hours=3))


def _waiting(year: Year, pot: str, who: str) -> Contribution:
    waiting = Contribution.objects.filter(budget=year.pots[pot], contributor=year.users[who], state="declared")
    return waiting.latest("worked_on", "pk")


def _commit(year: Year, when: datetime) -> None:
    """A forge tells of a commit: its author finds a draft, and declares it or not."""
    repository, secret = connect_repository(
        actor=year.users["sacha"], budget_id=year.pots[others.CARTOLIBRE].pk, forge="forgejo", address=FORGE, now=when
    )
    sha = hashlib.sha1(b"demonstration", usedforsecurity=False).hexdigest()
    commit = {
        "id": sha, "message": "Export : une colonne par besoin\n\nContribution: 1h30 development\n",
        "timestamp": when.isoformat(), "author": {"name": "Bo", "email": cast.address("bo")},
    }  # fmt: skip
    body = json.dumps({
        "ref": "refs/heads/main", "before": "0" * 40, "after": sha, "commits": [commit], "total_commits": 1,
        "repository": {"html_url": FORGE, "default_branch": "main"},
    }).encode()  # fmt: skip
    headers = {
        "X-Forgejo-Event": "push", "X-Forgejo-Delivery": sha,
        "X-Forgejo-Signature": hmac.new(secret.encode(), body, hashlib.sha256).hexdigest(),
    }  # fmt: skip
    receive_delivery(repository_id=repository.pk, headers=headers, body=body, now=when)
    treat_forges(when)


def _round(year: Year, when: datetime) -> None:
    """Everybody who works for Movilab is asked whether their last month is all told; two have answered."""
    today = year.at(when.date(), 12).date()
    opened = open_round(
        actor=year.users[movilab.STEWARD], budget=year.pots[movilab.ROOT], first_day=year.first(11), last_day=today,
        answer_by=today + timedelta(days=7), form_key="demonstration-round", now=when,
    )  # fmt: skip
    for who, state in (("lucas", "complete"), ("aoife", "missing")):
        person = year.users[who]
        answer_round(
            actor=person, answer_id=opened.answers.get(person=person).pk, state=state,
            listed=known_of(opened, [person])[person.pk].listed, now=when + timedelta(hours=1),
        )  # fmt: skip
