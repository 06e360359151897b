"""A host with its account and an organisation, for papers: what they are about is not needed."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from backend.documents.models import Document
from backend.documents.services import Item, issue, party_of
from backend.identity.models import Host, HostBankAccount, Organisation, User
from backend.identity.organisations import Address, seal_address
from backend.identity.services import add_bank_account, create_host, create_organisation
from backend.operations.demo import give_factor

NOW = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
REFERENCE = "RF18539007547034"


@dataclass
class House:
    """The people and things that papers name."""

    claire: User
    denis: User
    ana: User
    host: Host
    account: HostBankAccount
    organisation: Organisation

    def paper(self, kind: str = "call", key: str = "one", **changes: Any) -> Document:
        """Issue a paper for the organisation: two lines, 100.00 and 50.50 euros."""
        facts: dict[str, Any] = {
            "kind": kind, "key": key, "subject": "grp_one", "party": party_of(self.organisation),
            "items": [Item("Cartolibre", 100_00), Item("Cartolibre › Traductions", 50_50)], "currency": "EUR",
            "language": "fr", "organisation": self.organisation, "reference": REFERENCE, "actor": None, "now": NOW,
        }  # fmt: skip
        return issue(**{**facts, **changes})


def house(*, complete: bool = True) -> House:
    """Build it; complete: with all that an invoice asks for."""
    people = [
        User.objects.create_user(f"{name}@example.org", "x", name=name.title(), language="fr")
        for name in ("claire", "denis", "ana")
    ]
    for treasurer in people[:2]:
        give_factor(treasurer)
    host = create_host(name="Association des Communs", siren="123456782", fee_bp=500, now=NOW, treasurers=people[:2])
    account = add_bank_account(
        host=host, name="Compte courant", iban="FR7630006000011234567890189", bic="AGRIFRPP", currency="EUR"
    )
    organisation = create_organisation(
        name="La Fabrique du Port", kind="association", manager=people[2], siren="732829320", now=NOW
    )
    if complete:
        host.address, host.rna, host.vat_status = "12 rue des Communs\n35000 Rennes", "W353001234", "non_profit"
        host.save()
        address = Address("3 quai du Port", "29200", "Brest", "FR")
        organisation.address_sealed = seal_address(organisation, address)
        organisation.save()
    claire, denis, ana = people
    return House(claire, denis, ana, host, account, organisation)
