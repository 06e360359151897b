"""What people did of late beside the work: details, limits, things recorded for others, what awaits a second person."""

from datetime import datetime, timedelta

from stdnum import luhn

from backend.commons.life import propose_commons
from backend.contributions.models import Contribution
from backend.contributions.recording import record_contribution
from backend.identity.inviting import Named
from backend.identity.organisations import Address, Details, edit_organisation, set_limits
from backend.identity.proposals import propose_treasurer
from backend.identity.recordings import Told
from backend.identity.tokens import create_token
from backend.operations.demonstration import cast, others
from backend.operations.demonstration.year import Year
from backend.operations.moderation import withdraw_text
from backend.pledges.recording import record_pledge

CITIES = (
    ("12 quai des Cordiers", "29900", "Concarneau"),
    ("1 place de la République", "44000", "Nantes"),
    ("3 rue du Four", "35000", "Rennes"),
    ("27 rue des Halles", "56100", "Lorient"),
    ("8 rue de la Baie", "22000", "Saint-Brieuc"),
    ("Mairie, 2 place du Bourg", "35430", "Saint-Aubin-sur-Rance"),
    ("5 chemin du Bocage", "61100", "Flers"),
)


def siren(number: int) -> str:
    """A SIREN that checks and is nobody's: the registry gives none that begins with 000."""
    body = f"{number:08d}"
    return body + str(luhn.calc_check_digit(body))


def live(year: Year, now: datetime) -> None:
    """All that follows, in the last days before `now`."""
    _details(year, now - timedelta(days=19))
    _recorded(year, now)
    _awaited(year, now)
    create_token(
        user=year.users["bo"], name="portable", now=now, days=180,
        scopes=["commons:read", "contributions:read", "contributions:write"],
        only=year.pots[others.CARTOLIBRE].commons_id,
    )  # fmt: skip


def _details(year: Year, when: datetime) -> None:
    """What each organisation says of itself; what a member of the region may promise alone."""
    for number, (key, one) in enumerate(cast.ORGANISATIONS.items(), start=1):
        lines, code, city = CITIES[(number - 1) % len(CITIES)]
        status = {"company": "liable", "association": "franchise", "public": "not_liable"}.get(one.kind, "unknown")
        edit_organisation(
            actor=year.users[one.manager], organisation_id=year.organisations[key].pk, now=when,
            details=Details(
                name=one.name, kind=one.kind, siren=siren(number), vat_status=status,
                email=cast.address(one.manager), address=Address(lines, code, city, "FR"),
            ),
        )  # fmt: skip
    set_limits(
        actor=year.users["paul"], organisation_id=year.organisations["region"].pk, user_id=year.users["lea"].pk,
        currency="EUR", per_pledge=500_00, per_year=2_000_00, now=when,
    )  # fmt: skip


def _recorded(year: Year, now: datetime) -> None:
    """A call to the treasurer and a paper handed to a steward: one confirmed by mail, the other by letter."""
    pot = year.pots[others.CARTOLIBRE]
    record_pledge(
        actor=year.users["claire"], budget=pot, amount=150_00, currency="EUR", form_key="demonstration-call",
        name="Collectif des cartographes du dimanche", contact=Named("Gaëlle Prigent", "gaelle@example.org"),
        told=Told("call", (now - timedelta(days=4)).date(), "Virement annoncé pour la fin du mois."),
        now=now - timedelta(days=3),
    )  # fmt: skip
    record_contribution(
        actor=year.users["sacha"], budget=pot, form_key="demonstration-paper",
        somebody=Named("Armel Quéré", "armel@example.org"),
        facts={
            "worked_on": (now - timedelta(days=6)).date(), "kind": "documentation", "minutes": 120, "amount": 40_00,
            "description": "Relecture du guide de saisie, sur papier.",
        },
        told=Told("paper", (now - timedelta(days=5)).date(), confirm_by="letter"), now=now - timedelta(days=2),
    )  # fmt: skip


def _awaited(year: Year, now: datetime) -> None:
    """What awaits somebody: a commons that is asked for, a third treasurer; and a text that was withdrawn."""
    propose_commons(
        actor=year.users["ines"], name="Agenda des tiers-lieux", now=now - timedelta(days=3),
        summary="Un agenda libre que les lieux remplissent et que chacun republie.",
        why="Douze lieux du réseau le financent déjà, chacun de son côté.", licence="AGPL-3.0-or-later",
    )  # fmt: skip
    propose_treasurer(
        actor=year.users["claire"], who=Named("Hélène Vasseur", cast.address("helene")),
        reason="Le conseil d’administration l’a élue le mois dernier.", now=now - timedelta(days=1),
    )  # fmt: skip
    work = (
        Contribution.objects.filter(budget=year.pots[others.BABEL], state="settled").order_by("worked_on", "pk").first()
    )
    if work is not None:
        withdraw_text(
            actor=year.users["yanis"], subject=work.pk, field="description", now=now - timedelta(days=8),
            reason="Le texte nommait une personne qui ne l’a pas voulu.", appeal_to=cast.address("yanis"),
        )  # fmt: skip
