"""The demonstration: a hundred euros taken from a pledge to a reconciled bank line, through the services alone.

Each step is one function over the same `World`, so that tests can stop between two of them.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from xml.sax.saxutils import escape
from zoneinfo import ZoneInfo

from allauth.account.models import EmailAddress
from allauth.mfa.app_settings import TOTP_PERIOD
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value
from django.db import transaction

from backend.banking.services import import_statement
from backend.commons.models import Budget, Commons, Period
from backend.commons.services import create_commons, root_budget
from backend.contributions.models import Contribution
from backend.contributions.services import declare, review
from backend.core.money import to_decimal
from backend.distributions.invoicing import approve_invoice, draft_invoice
from backend.distributions.models import Distribution, Share
from backend.distributions.services import approve, close_period
from backend.identity.models import Host, HostBankAccount, Organisation, User
from backend.identity.organisations import Address
from backend.identity.services import add_bank_account, create_host, create_organisation, grant_role, host_day
from backend.operations.sweeps import SWEEPS
from backend.payees.details import Details, edit_payee
from backend.payees.services import set_account
from backend.payouts.models import Payout, PayoutBatch
from backend.payouts.services import approve_batch, hand_over, prepare_batch
from backend.pledges.models import Pledge
from backend.pledges.references import printed
from backend.pledges.services import make_pledge

PASSWORD = "tronc-demonstration"  # noqa: S105  printed by ./run, never used outside the demonstration
HOST_IBAN = "FR7630006000011234567890189"
HOST_BIC = "AGRIFRPP"
PEOPLE = {
    "claire": ("Claire Moreau", "treasurer"),
    "denis": ("Denis Caron", "treasurer"),
    "ana": ("Ana Ruiz", "organisation_manager"),
    "sacha": ("Sacha Le Goff", "steward"),
    "bo": ("Bo Nguyen", "contributor"),
    "camille": ("Camille Faure", "contributor"),
}
STRONG = ("treasurer", "steward")
# Of the authenticator application of everybody here: public as the password is, and as useless elsewhere.
FACTOR = "TRONCDEMONSTRATIONFACTORTRONCDEM"
IBANS = {"bo": "FR1420041010050500013M02606", "camille": "DE89370400440532013000"}


@dataclass
class World:
    """The people and things of the demonstration."""

    now: datetime
    users: dict[str, User] = field(default_factory=dict)
    host: Host = field(init=False)
    account: HostBankAccount = field(init=False)
    organisation: Organisation = field(init=False)
    commons: Commons = field(init=False)
    budget: Budget = field(init=False)
    pledge: Pledge = field(init=False)
    contributions: list[Contribution] = field(default_factory=list)
    distribution: Distribution = field(init=False)
    batch: PayoutBatch = field(init=False)

    @property
    def today(self) -> date:
        """The demonstration's day, on the host's calendar."""
        return self.now.astimezone(ZoneInfo("Europe/Paris")).date()

    @property
    def period(self) -> Period:
        """The first period of the common pot."""
        return self.budget.periods.order_by("starts_on")[0]


def sweep(now: datetime) -> None:
    """Do the background work here and now, until nothing is due; mail is left to the workers."""
    for _round in range(10):
        if not sum(act(now) for name, act in SWEEPS.items() if name != "notifications.send"):
            return


def give_factor(user: User) -> None:
    """Give a person of the demonstration its authenticator application: roles of trust count with one."""
    TOTP.activate(user, FACTOR)


def code_for(at: float) -> str:
    """The code that the demonstration's authenticator application shows at a moment (seconds since 1970)."""
    return str(format_hotp_value(hotp_value(FACTOR, int(at) // TOTP_PERIOD)))


def make_people(world: World) -> None:
    """Six people with verified addresses; those who will be trusted with money have a second factor."""
    for key, (name, role) in PEOPLE.items():
        user = User.objects.create_user(f"{key}@example.org", PASSWORD, name=name, language="fr")
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
        world.users[key] = user
        if role in STRONG:
            give_factor(user)
    User.objects.filter(pk=world.users["bo"].pk).update(public_name="Bo")
    world.users["bo"].refresh_from_db()


def make_house(world: World) -> None:
    """The host with its bank account and two treasurers, an organisation, a commons with its pot, two contributors."""
    users = world.users
    world.host = create_host(
        name="Association des Communs", siren="123456782", fee_bp=500, now=world.now,
        treasurers=[users["claire"], users["denis"]], address="12 rue des Communs\n35000 Rennes", rna="W353001234",
        vat_status="non_profit",
    )  # fmt: skip
    world.account = add_bank_account(
        host=world.host, name="Compte courant", iban=HOST_IBAN, bic=HOST_BIC, currency="EUR"
    )
    world.organisation = create_organisation(
        name="La Fabrique du Port", kind="association", manager=users["ana"], now=world.now
    )
    first = world.today.replace(day=1)
    following = (first + timedelta(days=32)).replace(day=1)
    world.commons = create_commons(
        name="Cartolibre", summary="L’atlas libre des tiers-lieux.", currency="EUR", steward=users["sacha"],
        first_day=(first - timedelta(days=1)).replace(day=1), end_before=following, now=world.now,
        licence="AGPL-3.0-or-later",
    )  # fmt: skip
    world.budget = root_budget(world.commons)
    for key in ("bo", "camille"):
        grant_role(user=users[key], kind="contributor", scope=world.budget.pk, granted_by=users["sacha"], now=world.now)
        set_account(actor=users[key], name=users[key].name, iban=IBANS[key], now=world.now - timedelta(days=4))


def make_promise(world: World, amount: int = 100_00) -> None:
    """The organisation's member pledges a hundred euros by bank transfer."""
    world.pledge = make_pledge(
        actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=amount, currency="EUR",
        form_key="demonstration", now=world.now,
    )  # fmt: skip


def receive(world: World) -> None:
    """A treasurer imports a statement: the pledge's transfer, and one that nobody can name."""
    data = statement_file(
        world,
        number=1,
        opening=0,
        lines=[
            (100_00, "LA FABRIQUE DU PORT", f"soutien carto {printed(world.pledge.reference)} merci", ""),
            (42_50, "M OU MME INCONNU", "don", ""),
        ],
    )
    import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)
    sweep(world.now)


def work(world: World) -> None:
    """Two contributors declare 60 € and 40 € of work; the steward approves both."""
    facts = [
        ("bo", "development", 180, 60_00, "Recherche par besoin : filtres et export"),
        ("camille", "documentation", 120, 40_00, "Guide de prise en main, première version"),
    ]
    for number, (key, kind, minutes, amount, description) in enumerate(facts):
        contribution = declare(
            actor=world.users[key], budget=world.budget, worked_on=world.today, kind=kind, minutes=minutes,
            amount=amount, description=description, evidence=["https://example.org/cartolibre/journal"],
            form_key=f"demonstration-{number}", now=world.now,
        )  # fmt: skip
        review(actor=world.users["sacha"], contribution_id=contribution.pk, verdict="approve", now=world.now)
        world.contributions.append(contribution)


def close(world: World) -> None:
    """A treasurer closes the period; the computation is published."""
    closed = close_period(actor=world.users["claire"], period_id=world.period.pk, now=world.now)
    sweep(world.now)
    world.distribution = Distribution.objects.get(pk=closed.pk)


def approve_distribution(world: World) -> None:
    """The other treasurer approves it: each payee is owed."""
    world.distribution = approve(
        actor=world.users["denis"],
        distribution_id=world.distribution.pk,
        digest=world.distribution.digest,
        now=world.now,
    )


def document(world: World) -> None:
    """Who is owed a share approves the invoice drafted in their name: it can be paid."""
    owed = Share.objects.filter(distribution=world.distribution, state="owed", amount__gt=0).order_by("pk")
    for number, share in enumerate(owed.select_related("contributor", "payee", "distribution__period__budget")):
        details = Details(
            kind="person", siren=("404833048", "303265045")[number % 2], vat_status="franchise",
            address=Address(f"{number + 3} rue Verte", "35000", "Rennes", "FR"),
            invoice_prefix=f"{number + 1}-" if number > 1 else "",
        )  # fmt: skip
        if not share.payee.siren:
            share.payee = edit_payee(actor=share.contributor, payee_id=share.payee_id, details=details, now=world.now)
        draft = draft_invoice(share, now=world.now)
        approve_invoice(actor=share.contributor, share_id=share.pk, digest=draft.digest, mandate=True, now=world.now)


def pay(world: World) -> None:
    """A batch is prepared by one treasurer, approved by the other, and handed over as a file."""
    document(world)  # what is not yet
    batch = prepare_batch(actor=world.users["claire"], account_id=world.account.pk, now=world.now)
    approve_batch(actor=world.users["denis"], batch_id=batch.pk, digest=batch.digest, now=world.now)
    world.batch, _data = hand_over(actor=world.users["claire"], batch_id=batch.pk, now=world.now)


def settle(world: World) -> None:
    """A second statement shows the transfers leaving."""
    payouts = list(Payout.objects.filter(batch=world.batch).order_by("name"))
    data = statement_file(
        world,
        number=2,
        opening=142_50,
        lines=[(-payout.amount, payout.name, "retribution", payout.end_to_end_id) for payout in payouts],
    )
    import_statement(actor=world.users["claire"], data=data, accept_gap=False, now=world.now)
    sweep(world.now)


STEPS = [
    make_people, make_house, make_promise, receive, work, close, approve_distribution, document, pay, settle,
]  # fmt: skip


def load(now: datetime) -> World:
    """Play the whole journey, in one transaction; the instance must be empty."""
    # As of some days ago: the period it closes ends there, and work of these days can be declared in the next one.
    world = World(now=now - timedelta(days=3))
    with transaction.atomic():
        for step in STEPS:
            step(world)
        make_pledge(
            actor=world.users["ana"], budget=world.budget, organisation=world.organisation, amount=300_00,
            currency="EUR", form_key="demonstration-next", now=now,
        )  # fmt: skip
        declare(
            actor=world.users["bo"], budget=world.budget, worked_on=host_day(now) - timedelta(days=1), minutes=90,
            kind="development", amount=45_00, description="Correctif d’export", form_key="demonstration-next", now=now,
        )  # fmt: skip
        sweep(now)
    return world


def statement_file(
    world: World,
    *,
    number: int,
    opening: int,
    lines: list[tuple[int, str, str, str]],
    days: Sequence[date] = (),
    currency: str = "EUR",
) -> bytes:
    """A camt.053.001.08 statement of the host's account, as its bank would write it.

    Args: opening: minor units. lines: (signed minor units, counterparty, free text, end-to-end id). days: when the bank
        booked each line; the world's day when not given.
    """
    day = world.today.isoformat()
    booked = [on.isoformat() for on in days] or [day] * len(lines)
    closing = opening + sum(amount for amount, *_rest in lines)

    def money(amount: int) -> str:
        return f'<Amt Ccy="{currency}">{abs(to_decimal(amount, currency)):f}</Amt>' + (
            f"<CdtDbtInd>{'CRDT' if amount >= 0 else 'DBIT'}</CdtDbtInd>"
        )

    def state(code: str, amount: int) -> str:
        return f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{money(amount)}<Dt><Dt>{day}</Dt></Dt></Bal>"

    def entry(index: int, amount: int, name: str, text: str, end_to_end: str) -> str:
        role = "Dbtr" if amount > 0 else "Cdtr"
        return (
            f"<Ntry><NtryRef>{index}</NtryRef>{money(amount)}<Sts><Cd>BOOK</Cd></Sts>"
            f"<BookgDt><Dt>{booked[index - 1]}</Dt></BookgDt><ValDt><Dt>{booked[index - 1]}</Dt></ValDt>"
            f"<AcctSvcrRef>S{number}-{index}</AcctSvcrRef><BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd>"
            f"<SubFmlyCd>ESCT</SubFmlyCd></Fmly></Domn></BkTxCd><NtryDtls><TxDtls><Refs>"
            f"<EndToEndId>{escape(end_to_end) or 'NOTPROVIDED'}</EndToEndId></Refs>{money(amount)}"
            f"<RltdPties><{role}><Pty><Nm>{escape(name)}</Nm></Pty></{role}></RltdPties>"
            f"<RmtInf><Ustrd>{escape(text)}</Ustrd></RmtInf></TxDtls></NtryDtls></Ntry>"
        )

    entries = "".join(entry(index, *line) for index, line in enumerate(lines, start=1))
    document = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>'
        f"<GrpHdr><MsgId>DEMO-{day}-{number}</MsgId><CreDtTm>{day}T06:00:00</CreDtTm></GrpHdr>"
        f"<Stmt><Id>DEMO-{day}-{number}</Id><ElctrncSeqNb>{number}</ElctrncSeqNb><CreDtTm>{day}T06:00:00</CreDtTm>"
        f"<Acct><Id><IBAN>{world.account.iban}</IBAN></Id><Ccy>{currency}</Ccy></Acct>"
        f"{state('OPBD', opening)}{state('CLBD', closing)}{entries}</Stmt></BkToCstmrStmt></Document>\n"
    )
    assert Decimal(closing) == opening + sum(Decimal(amount) for amount, *_rest in lines)
    return document.encode()
