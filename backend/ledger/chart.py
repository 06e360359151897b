"""The purses' nature and the numbers of the French chart of accounts for associations that postings carry."""

from backend.ledger.models import CREDIT, DEBIT

# kind → (normal side, guarded). A bank account can be overdrawn at the bank, so the books must be able to say it.
NATURE: dict[str, tuple[int, bool]] = {
    "bank": (DEBIT, False),
    "clearing": (DEBIT, False),
    "in_transit": (CREDIT, True),
    "suspense": (CREDIT, False),
    "budget": (CREDIT, True),
    "payee": (CREDIT, True),
    "reserve": (CREDIT, True),
    "deficit": (DEBIT, True),
    "host_fees": (CREDIT, False),
    "provider_fees": (DEBIT, False),
}

BANK = "512"
SUSPENSE = "471"
DONATION = "7541"  # receipts of a budget
EARMARKED = "195"  # money already earmarked when the books are opened (field.md §5.6)
OWN_FUNDS = "110"  # the host's own money when the books are opened
HOST_FEE = "706"
SERVICES = "6226"  # work bought from contributors
SUPPLIER = "401"  # what is owed to payees
TRANSIT = "58"

LABELS = {
    BANK: ("Banques", "Banks"),
    SUSPENSE: ("Comptes d’attente", "Suspense"),
    DONATION: ("Ressources affectées aux communs", "Receipts for the commons"),
    EARMARKED: ("Fonds dédiés aux communs", "Funds earmarked for the commons"),
    OWN_FUNDS: ("Report à nouveau", "Host’s own funds"),
    HOST_FEE: ("Frais de gestion", "Host fees"),
    SERVICES: ("Honoraires des contributeurs", "Contributors’ work"),
    SUPPLIER: ("Fournisseurs", "Payees"),
    TRANSIT: ("Virements internes", "Payouts in transit"),
}
