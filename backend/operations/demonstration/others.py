"""The smaller commons around Movilab: Optéos, SUD Tiers-Lieux, Babel.coop and Cartolibre.

Totals of the first three are published (field notes in the documentation of each project); who asked what is invented.
"""

from backend.operations.demonstration.tables import Closing, Envelope, Move, Promise, Rules, Work
from backend.payments.services import host_fee

FEE_BP = 500


def gross_for(net: int, fee_bp: int = FEE_BP) -> int:
    """The smallest receipt, in minor units, of which `net` is left once the host's fee was taken."""
    gross = net
    while gross - host_fee(gross, fee_bp) < net:
        gross += max(1, net - (gross - host_fee(gross, fee_bp)))
    return gross


# Optéos 2023: 10 000 € in the pot when 15 000 € of contributions were already made.
OPTEOS = "opteos"
OPTEOS_CONTRIBUTORS = ("jeanne", "pierre", "noemie", "aoife")
OPTEOS_POT = 10_000_00
SUD = "sud"
SUD_CONTRIBUTORS = ("maia", "fatou", "lucas", "camille", "jeanne", "pierre", "simon", "rosemarie")
SUD_POT = 2_800_00
BABEL = "babel"
BABEL_CONTRIBUTORS = ("bo", "yoann", "noemie")
CARTOLIBRE = "cartolibre"
CARTOLIBRE_CONTRIBUTORS = ("bo", "camille")

# After a first year of amounts asked, SUD Tiers-Lieux shares by time; printing its book has a purse of its own.
PRINTING = "impression"
ENVELOPES = (Envelope(PRINTING, SUD, "Impression du recueil", 7, follows=True),)
MOVES = (Move(SUD, PRINTING, 8, 600_00, "Don de la région réservé à l’impression du recueil"),)
RULES = (
    Rules(SUD, 4, 12, {
        "tiers": [
            {"id": "expenses", "rule": "claims_pro", "kinds": ["expense"], "take": {"rest": True},
             "reimburses": True},
            {"id": "base", "rule": "equal", "take": {"bp": 3_000, "of": "left"}},
            {"id": "time", "rule": "weighted", "take": {"rest": True}},
        ],
        "kinds": {
            "facilitation": 1_000, "documentation": 1_000, "review": 1_500, "design": 1_000, "expense": 1_000,
        },
        "bounds": {"ceiling_bp": 4_000},
    }),
    # Cartolibre stands on Movilab's wiki: a tenth of what it receives goes there.
    Rules(CARTOLIBRE, 5, 20, {
        "reserve": {"bp": 500, "target": 500_00},
        "minimum_payout": 40_00,
    }, upstream=("movilab", 1_000)),
    # What Optéos chose after its closing: small requests first, and a reason above 1 500 €.
    Rules(OPTEOS, 9, 21, {
        "tiers": [{"id": "general", "rule": "claims_cea", "take": {"rest": True}}], "soft_cap": 1_500_00,
    }),
)  # fmt: skip

# The transfer that its bank takes back after it was shared.
RECALLED = Promise(BABEL, "halles", 6, 8, gross_for(400_00), paid=6)

PROMISES = (
    Promise(OPTEOS, "cooperative", 0, 12, gross_for(6_000_00), paid=1),
    Promise(OPTEOS, "region", 3, 10, gross_for(4_000_00), paid=4),
    Promise(OPTEOS, "cooperative", 11, 18, 3_000_00),
    Promise(SUD, "reseau", 0, 6, gross_for(SUD_POT), paid=1),
    Promise(SUD, "region", 7, 3, gross_for(2_400_00), paid=8),
    Promise(BABEL, "ateliers", 5, 24, gross_for(600_00), paid=6),
    RECALLED,
    Promise(CARTOLIBRE, "fabrique", 10, 3, 100_00, paid=10),
    Promise(CARTOLIBRE, "ateliers", 11, 20, 150_00, paid=11),
    Promise(CARTOLIBRE, "fabrique", 12, 2, 300_00),
)

WORK = (
    Work(OPTEOS, "jeanne", 2, 15, "facilitation", 6_000, 3_500_00, "Animation des groupes de travail au printemps"),
    Work(OPTEOS, "pierre", 4, 18, "development", 5_400, 2_700_00, "Outil de suivi des budgets des coopératives"),
    Work(OPTEOS, "noemie", 5, 10, "documentation", 6_000, 3_000_00, "Wiki du budget contributif : règles et exemples"),
    Work(OPTEOS, "jeanne", 7, 12, "facilitation", 4_800, 2_500_00, "Animation des groupes de travail à l’automne"),
    Work(OPTEOS, "aoife", 8, 11, "design", 3_000, 1_500_00, "Screens of the contribution form"),
    Work(OPTEOS, "pierre", 9, 14, "development", 3_600, 1_800_00, "Reprise des données des années passées"),
    Work(OPTEOS, "noemie", 11, 19, "documentation", 600, 320_00, "Compte rendu de la clôture et de ses débats", ""),
    Work(OPTEOS, "jeanne", 12, 2, "facilitation", 480, 300_00, "Première réunion de l’année", ""),
    Work(SUD, "maia", 1, 10, "facilitation", 1_440, 600_00, "Huit entretiens en Occitanie"),
    Work(SUD, "fatou", 2, 14, "facilitation", 1_320, 560_00, "Sept entretiens en Provence"),
    Work(SUD, "lucas", 3, 8, "facilitation", 1_200, 520_00, "Six entretiens sur les outils numériques"),
    Work(SUD, "camille", 3, 21, "documentation", 1_140, 480_00, "Six entretiens, et leur synthèse"),
    Work(SUD, "jeanne", 4, 11, "facilitation", 900, 360_00, "Cinq entretiens en Corse"),
    Work(SUD, "pierre", 5, 5, "documentation", 720, 280_00, "Trois entretiens, et la transcription des autres"),
    Work(SUD, "simon", 5, 9, "review", 300, 0, "Relecture des trente-cinq entretiens"),
    Work(SUD, "rosemarie", 5, 12, "facilitation", 240, 0, "Mise en relation avec les lieux"),
    Work(SUD, "maia", 8, 11, "facilitation", 900, 0, "Cinq entretiens dans les Alpes"),
    Work(SUD, "camille", 9, 7, "documentation", 1_080, 0, "Mise en pages du recueil"),
    Work(SUD, "simon", 9, 19, "review", 240, 0, "Relecture des épreuves"),
    Work(SUD, "fatou", 10, 6, "facilitation", 600, 0, "Trois entretiens, et leur restitution"),
    Work(SUD, "maia", 10, 22, "expense", 0, 84_60, "Train pour Briançon et retour"),
    Work(PRINTING, "camille", 11, 9, "design", 420, 0, "Couverture et choix du papier"),
    Work(PRINTING, "lucas", 11, 12, "expense", 0, 132_00, "Épreuves imprimées"),
    Work(BABEL, "bo", 6, 16, "development", 840, 400_00, "Passerelle entre les forums"),
    Work(BABEL, "yoann", 7, 13, "development", 720, 350_00, "Hébergement et reprise des sauvegardes"),
    Work(BABEL, "noemie", 8, 15, "documentation", 540, 250_00, "Guide d’accueil des coopératives"),
    Work(BABEL, "bo", 10, 7, "support", 100, 50_00, "Dépannage d’une coopérative un dimanche"),
    Work(CARTOLIBRE, "bo", 10, 12, "development", 180, 60_00, "Recherche par besoin : filtres et export"),
    Work(CARTOLIBRE, "camille", 10, 14, "documentation", 120, 40_00, "Guide de prise en main, première version"),
    Work(CARTOLIBRE, "bo", 12, 3, "development", 90, 45_00, "Correctif d’export", ""),
)  # fmt: skip

CLOSINGS = (
    Closing(SUD, 6, "nadia", approver="claire"),
    Closing(BABEL, 9, "claire"),
    Closing(OPTEOS, 10, "denis", approver="claire"),
    Closing(CARTOLIBRE, 11, "claire"),
)
