"""The demonstration: Movilab's nine envelopes and the commons around them, over the last twelve months."""

from datetime import datetime, timedelta

from allauth.account.models import EmailAddress
from django.contrib.auth.hashers import make_password
from django.db import transaction
from django.db.models import F

from backend.commons.services import create_commons, root_budget
from backend.core.ids import new_id
from backend.identity.models import Host, User
from backend.identity.permissions import STRONG_ROLES
from backend.identity.services import add_bank_account, create_host, create_organisation, grant_role
from backend.notifications.models import OutgoingMail
from backend.operations.demo import give_factor
from backend.operations.demonstration import cards, cast, giving, movilab, others, papers, people, talk
from backend.operations.demonstration.year import BankFact, Year
from backend.payees.services import set_account
from backend.privacy.notices import accept_notices
from backend.transfers.services import decide_opening, propose_opening

OWN_MONEY = 3_250_00
SUD_OPENING = 150_00
ALONE_UP_TO = 500_00
RECENT = timedelta(days=2)


def load(now: datetime) -> bool:
    """Play the whole year up to `now`, in one transaction; an instance that has its host is left alone.

    Returns: whether it was loaded.
    """
    with transaction.atomic():
        if Host.objects.exists():
            return False
        year = Year(now=now)
        _make_people(year)
        _make_house(year)
        _make_commons(year)
        _give_factors(year)
        _open_books(year)
        _plan(year)
        with cards.open_provider(year):
            year.play()
            year.background(now)
        people.live(year, now)
        papers.live(year, now)
        talk.talk(year, now)
        giving.invoices(year, now)
        year.background(now)
        # What was written over the year has long been read; what came of the last days is still to be sent.
        old = OutgoingMail.objects.filter(state="due", due_at__lt=now - RECENT)
        old.update(state="sent", attempts=1, sent_at=F("due_at"))
    return True


def _make_people(year: Year) -> None:
    """Everybody of the cast, with a verified address; one hash serves all, for their password is public."""
    hashed = make_password(cast.PASSWORD)
    for key, person in cast.PEOPLE.items():
        year.users[key] = User.objects.create(
            id=new_id("usr"), email=cast.address(key), name=person.name, public_name=person.public_name,
            language=person.language, password=hashed,
        )  # fmt: skip
    EmailAddress.objects.bulk_create(
        EmailAddress(user=user, email=user.email, verified=True, primary=True) for user in year.users.values()
    )
    for user in year.users.values():
        accept_notices(user=user, now=year.at(year.first(0), 7))


def _make_house(year: Year) -> None:
    """The host with its account and people, the organisations, the accounts of those who are paid."""
    users, when = year.users, year.at(year.first(0), 7)
    year.host = create_host(
        name="Association des Communs", siren="123456782", fee_bp=others.FEE_BP, now=when,
        treasurers=[users["claire"], users["denis"]], address="12 rue des Communs\n35000 Rennes", rna="W353001234",
        vat_status="non_profit",
    )  # fmt: skip
    for key, role in (("odile", "auditor"), ("yanis", "administrator")):
        grant_role(user=users[key], kind=role, scope=year.host.pk, granted_by=None, now=when)
    year.account = add_bank_account(
        host=year.host, name="Compte courant", iban=cast.HOST_IBAN, bic=cast.HOST_BIC, currency="EUR"
    )
    for key, one in cast.ORGANISATIONS.items():
        manager = users[one.manager]
        year.organisations[key] = create_organisation(name=one.name, kind=one.kind, manager=manager, now=when)
        for member in one.members:
            grant_role(
                user=users[member], kind="organisation_member", scope=year.organisations[key].pk, granted_by=manager,
                now=when,
            )  # fmt: skip
    for key, person in cast.PEOPLE.items():
        if person.paid:
            set_account(actor=users[key], name=person.name, iban=cast.account_of(key), now=when)
    papers.describe(year, when)


def _make_commons(year: Year) -> None:
    """Five commons, each with its steward, the people who work on it and its first period."""
    facts = (
        (movilab.ROOT, "Movilab", "Le wiki libre des tiers-lieux : lieux, pratiques, machines et récits.",
         "https://movilab.org", "CC BY-SA 4.0", movilab.STEWARD, movilab.CONTRIBUTORS, (0, 12, 24)),
        (others.OPTEOS, "Optéos, budget contributif", "Le budget partagé des groupes de travail d’une coopérative.",
         "", "", "thomas", others.OPTEOS_CONTRIBUTORS, (0, 10, 20)),
        (others.SUD, "SUD Tiers-Lieux, entretiens", "Trente-cinq entretiens menés par les tiers-lieux du Sud.",
         "", "CC BY 4.0", "nadia", others.SUD_CONTRIBUTORS, (0, 6, 18)),
        (others.BABEL, "Babel.coop", "Les outils numériques que des coopératives s’échangent.",
         "", "AGPL-3.0-or-later", "hugo", others.BABEL_CONTRIBUTORS, (6, 9, 12, 15)),
        (others.CARTOLIBRE, "Cartolibre", "L’atlas libre des tiers-lieux.", "", "AGPL-3.0-or-later", "sacha",
         others.CARTOLIBRE_CONTRIBUTORS, (9, 11, 13)),
    )  # fmt: skip
    when = year.at(year.first(0), 8)
    for key, name, summary, website, licence, steward, contributors, bounds in facts:
        commons = create_commons(
            name=name, summary=summary, currency="EUR", steward=year.users[steward], first_day=year.first(bounds[0]),
            end_before=year.first(bounds[1]), website=website, licence=licence,
            transfer_threshold=ALONE_UP_TO, now=when,
        )  # fmt: skip
        year.pots[key] = root_budget(commons)
        year.stewards[key] = steward
        year.plan_periods(key, bounds)
        for person in contributors:
            grant_role(
                user=year.users[person], kind="contributor", scope=year.pots[key].pk,
                granted_by=year.users[steward], now=when,
            )  # fmt: skip


def _give_factors(year: Year) -> None:
    """A second factor to everybody who is trusted with something: their roles count with one."""
    for user in User.objects.filter(roles__kind__in=STRONG_ROLES).distinct().order_by("pk"):
        give_factor(user)


def _open_books(year: Year) -> None:
    """What the account held the day before: a little of it earmarked, the rest the host's own; two people."""
    opening = propose_opening(
        actor=year.users["claire"], as_of=year.first(0) - timedelta(days=1),
        accounts={year.account.pk: OWN_MONEY}, budgets={year.pots[others.SUD].pk: SUD_OPENING},
        form_key="demonstration", now=year.at(year.first(0), 9),
    )  # fmt: skip
    decide_opening(
        actor=year.users["denis"], opening_id=opening.pk, accept=True, digest=opening.digest,
        now=year.at(year.first(0), 10),
    )  # fmt: skip
    year.balance = OWN_MONEY


def _plan(year: Year) -> None:
    """All that happens, each thing on its day."""
    for envelope in (*movilab.ENVELOPES, *others.ENVELOPES):
        year.plan_envelope(envelope)
    for promise in (*movilab.PROMISES, *others.PROMISES):
        year.plan_promise(promise)
    giving.plan(year)
    for rules in others.RULES:
        year.plan_rules(rules)
    for work in (*movilab.WORK, *others.WORK):
        year.plan_work(work)
    for month in range(12):
        year.plan_statement(year.first(month + 1), "claire" if month % 2 else "denis")
    year.plan_moves((*movilab.MOVES, *others.MOVES, *movilab.LATE_MOVES))
    for closing in (*movilab.CLOSINGS, *others.CLOSINGS):
        year.plan_closing(closing)
    for agreement in movilab.AGREEMENTS:
        year.plan_agreement(agreement)
    year.plan_inside(
        year.day(6, 8), "formation", "remainder", None, "Formation terminée : le reste revient au pot commun"
    )
    year.plan_inside(year.day(7, 4), others.SUD, "to_reserve", 100_00, "Réserve pour la publication imprimée")
    for month, preparer in ((3, "claire"), (6, "denis"), (9, "claire"), (10, "denis"), (11, "claire")):
        year.plan_payday(year.day(month, 4), preparer)
    # The opening balances are of the day before the first month: that month comes first.
    year.plan_locks(range(-1, 11))
    _plan_what_waits(year)


def _plan_what_waits(year: Year) -> None:
    """The last days: what each person finds waiting when the demonstration opens."""
    year.plan_payday(year.day(12, 2), "claire", handed_over=False)
    year.plan_payday(year.day(12, 3), "denis", approved=False, handed_over=False)
    year.facts[year.day(5, 14)].append(BankFact(42_50, "M OU MME INCONNU", "don"))
    year.facts[year.day(12, 1)].append(BankFact(150_00, "D. MARCHAND", "cotisation annuelle"))
    year.facts[year.day(12, 2)].append(BankFact(-12_40, "", "FRAIS DE TENUE DE COMPTE"))
    year.plan_recall(others.RECALLED, year.day(12, 2), year.day(12, 4))
    year.plan_return("bo", year.day(12, 2), year.day(12, 4))
    year.plan_statement(year.day(12, 4), "denis")
    year.plan_objection(
        "capsules", "fatou", year.day(12, 3),
        "La relecture croisée des tutoriels s’est faite à deux : elle compte pour une seule personne.",
    )  # fmt: skip
    year.plan(year.day(12, 5), 9, lambda when: year.ask_lock(year.first(11), "claire", when))
