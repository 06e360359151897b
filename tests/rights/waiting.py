"""What else the world of the matrix holds: proposals, recordings, members, moderated texts, sessions, notices."""

from typing import TYPE_CHECKING, Any

from allauth.usersessions.models import UserSession
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore

from backend.banking.formats.csv_layout import guess
from backend.banking.layouts import save_layout
from backend.commons.life import propose_commons
from backend.commons.models import Commons
from backend.documents.services import Item, Party, issue
from backend.identity.inviting import Named
from backend.identity.merges import ask_merge, merge_token
from backend.identity.models import Offer, Organisation, Recording, User
from backend.identity.offers import offer_membership
from backend.identity.proposals import propose_treasurer
from backend.identity.recordings import Told, code_of
from backend.identity.services import host_day
from backend.operations.moderation import withdraw_text
from backend.payments.models import Payment
from backend.pledges.recording import record_pledge
from backend.privacy.erasure import ask_erasure, record_erasure
from backend.privacy.notices import current

if TYPE_CHECKING:
    from tests.rights.world import House


def _offer(house: "House", organisation: Organisation) -> Offer:
    """A membership that somebody without role in the organisation has not answered."""
    return offer_membership(
        actor=house.otto, organisation=organisation, person=house.berta, email=house.berta.email,
        kind="organisation_member", now=house.now,
    )  # fmt: skip


def _layout(house: "House") -> str:
    """Saved columns of a CSV."""
    layout = guess(["Date", "Montant", "Libellé"], [["02/03/2026", "10,00", "don"]], ";")
    account = house.played.account
    treasurer = house.played.users["claire"]
    return save_layout(actor=treasurer, account=account, name="Banque", layout=layout, now=house.now).pk


def add_waiting(house: "House") -> None:
    """Add them. The outsider asks to be forgotten."""
    outsider = house.people["outsider"]
    played, users = house.played, house.played.users
    house.things |= {
        "proposed commons": {
            "own": {"commons_id": _proposed(house, outsider, "Ruches").pk},
            "foreign": {"commons_id": _proposed(house, house.berta, "Vergers").pk},
        },
        "role": {
            "own": _role(users["camille"], "contributor", played.budget.pk),
            "foreign": _role(users["denis"], "treasurer", played.host.pk),
            "other": _role(house.berta, "contributor", house.pot.pk),
        },
        "offer": {"foreign": {"offer_id": _offer(house, house.roof).pk}},
        "offer made": {
            "own": {
                "organisation_id": played.organisation.pk,
                "offer_id": _offer(house, played.organisation).pk,
            },
            "foreign": {"organisation_id": house.roof.pk, "offer_id": _offer(house, house.roof).pk},
        },
        "member": {
            "own": {"organisation_id": played.organisation.pk, "user_id": house.people["member"].pk},
            "foreign": {"organisation_id": house.roof.pk, "user_id": house.otto.pk},
        },
        "two organisations": {"own": {"keep_id": played.organisation.pk, "other_id": house.roof.pk}},
        "host account": {"own": {"account_id": played.account.pk}},
        "csv layout": {"own": {"layout_id": _layout(house)}},
        "person": {"own": {"person_id": users["denis"].pk}},
        "notice": {"own": {"document": "terms", "version": current()["terms"]}},
        "problem": {"own": {"code": "not_found"}},
        "docs page": {"own": {"tag": "contributions"}},
        "docs text": {"own": {"slug": "guides/quickstart"}},
        "key of an address": {"own": {"key": "nothing"}},
        "key of a password": {"own": {"uidb36": "1", "key": "nothing"}},
        "passkey": {"own": {"pk": 1}},
        "mail": {"own": {"mail_id": "mai_" + "0" * 36}},
    }
    _papers(house)
    _proposals(house)
    _recordings(house)
    _sessions(house)
    asked = ask_merge(actor=outsider, address="elsewhere@example.org", now=house.now)
    to_outsider = ask_merge(actor=house.berta, address=outsider.email, now=house.now)
    to_otto = ask_merge(actor=users["denis"], address=house.otto.email, now=house.now)
    house.things |= {
        "merge": {"own": {"merge_id": asked.pk}, "foreign": {"merge_id": to_outsider.pk}},
        "merge to confirm": {"own": {"token": merge_token(to_outsider)}, "foreign": {"token": merge_token(to_otto)}},
    }
    house.things["erasure"] = {
        "own": {"erasure_id": ask_erasure(user=outsider, typed=outsider.email, now=house.now).pk},
        "foreign": {
            "erasure_id": record_erasure(
                actor=house.people["administrator"], email=house.berta.email, reason="a letter", now=house.now
            ).pk
        },
    }


def _proposed(house: "House", actor: User, name: str) -> Commons:
    return propose_commons(actor=actor, name=name, summary=f"{name} libres", why="for all", now=house.now)


def _role(user: User, kind: str, scope: str) -> dict[str, Any]:
    return {"person_id": user.pk, "kind": kind, "scope": scope}


def _papers(house: "House") -> None:
    """An invoice and a payment of each organisation."""
    house.things["document"] = {
        which: {
            "document_id": issue(
                kind="invoice", key=f"rights-{which}", subject=organisation.pk,
                party=Party(organisation.name, ("1 rue Basse", "29200 Brest")), items=[Item("Cartolibre", 100)],
                currency="EUR", language="en", organisation=organisation, actor=None, now=house.now,
            ).pk
        }
        for which, organisation in (("own", house.played.organisation), ("foreign", house.roof))
    }  # fmt: skip
    paid = Payment.objects.order_by("pk")
    house.things["payment to certify"] = {
        "own": {"payment_id": paid.filter(pledge__organisation=house.played.organisation)[0].pk},
        "foreign": {"payment_id": paid.exclude(pledge__organisation=house.played.organisation)[0].pk},
    }


def _proposals(house: "House") -> None:
    """A treasurer proposed by another; a public text that is withdrawn, one that is not."""
    proposal = propose_treasurer(
        actor=house.played.users["claire"], who=Named("Yves Gros", "yves@example.org", "en"), reason="more hands",
        now=house.now,
    )  # fmt: skip
    hidden = withdraw_text(
        actor=house.people["administrator"], subject=house.sea.pk, field="summary", reason="an insult",
        appeal_to="appeal@example.org", now=house.now,
    )  # fmt: skip
    house.things |= {
        "proposal": {"own": {"proposal_id": proposal.pk}},
        "withdrawn text": {"own": {"moderation_id": hidden.pk}},
        "public text": {"own": {"subject": house.played.commons.pk, "field": "summary"}},
    }


def _recordings(house: "House") -> None:
    """In each commons, a pledge that its steward recorded for a group that wrote a paper."""
    told = Told(channel="paper", told_on=host_day(house.now), confirm_by="letter")
    rows = {}
    for which, steward, budget in (
        ("own", house.people["steward"], house.played.budget), ("other", house.basil, house.pot),
    ):  # fmt: skip
        made = record_pledge(
            actor=steward, budget=budget, amount=30_00, currency="EUR", told=told, form_key=f"recorded-{which}",
            name=f"Club {which}", contact=Named("Lou Brun", f"lou-{which}@example.org", "en"), now=house.now,
        )  # fmt: skip
        rows[which] = Recording.objects.get(subject=made.pk)
    house.things["recording"] = {which: {"recording_id": row.pk} for which, row in rows.items()}
    house.things["code"] = {"own": {"code": code_of(rows["own"])}}


def _sessions(house: "House") -> None:
    """A second session of each persona, and one of somebody else."""
    from tests.rights.world import OwnOfEach

    own = OwnOfEach({persona: _session(user) for persona, user in house.people.items()})
    own["anonymous"] = _session(house.otto)
    house.things["session"] = {"own": own, "foreign": own["anonymous"]}


def _session(user: User) -> dict[str, Any]:
    store = SessionStore()
    store[SESSION_KEY], store[BACKEND_SESSION_KEY] = user.pk, settings.AUTHENTICATION_BACKENDS[0]
    store[HASH_SESSION_KEY] = user.get_session_auth_hash()
    store.create()
    row = UserSession.objects.create(user=user, ip="192.0.2.7", session_key=store.session_key, user_agent="Firefox")
    return {"session_id": row.pk}
