"""Movilab.org in 2023: a common pot and nine envelopes of 18 000 €, whose purposes and amounts are those published.

Source of the nine amounts: movilab.org/wiki/Coordination_Movilab.org_2023-2024. Who funds and who works is invented.
"""

from backend.operations.demonstration.tables import Agreement, Closing, Envelope, Move, Promise, Work

ROOT = "movilab"
STEWARD = "elodie"
CONTRIBUTORS = ("bo", "camille", "yoann", "lucas", "fatou", "maia", "rosemarie", "simon", "aoife")

ENVELOPES = (
    Envelope("identite", ROOT, "Identité de Movilab", 0, 0, 6),
    Envelope("formation", ROOT, "Formation à la documentation", 0, 0, 6),
    Envelope("capsules", ROOT, "Capsules et tutoriels", 1, 3, 3),
    Envelope("technique", ROOT, "Équipe technique", 0, 0, 3),
    Envelope("fonctions", ROOT, "Nouvelles fonctionnalités (pas lancé)", 7, 8, 8),
    Envelope("movicamp", ROOT, "Movicamp", 1, 2, 8),
    Envelope("contenus", ROOT, "Productrices et producteurs de contenus", 2, 3, 3),
    Envelope("antimanuel", ROOT, "Anti-manuel", 2, 3, 6),
    Envelope("machines", ROOT, "Machines", 3, 6, 6),
)

PROMISES = (
    Promise(ROOT, "region", 0, 4, 8_000_00, paid=0),
    Promise(ROOT, "reseau", 0, 9, 4_000_00, paid=1),
    Promise(ROOT, "halles", 1, 12, 3_000_00, paid=2),
    Promise(ROOT, "ateliers", 3, 3, 2_400_00, paid=3),
    Promise(ROOT, "commune", 4, 15, 1_500_00, paid=5, unnamed=True),
    Promise(ROOT, "fabrique", 6, 6, 1_200_00, paid=7),
    Promise(ROOT, "cooperative", 7, 20, 500_00),  # never came: overdue
    Promise(ROOT, "ateliers", 9, 11, 1_000_00, paid=10, received=600_00),
    Promise(ROOT, "region", 11, 22, 8_000_00),
    Promise(ROOT, "halles", 12, 2, 750_00),
)

# What each envelope is given: together 18 000 €.
MOVES = (
    Move(ROOT, "technique", 0, 4_000_00, "Enveloppe votée par la coordination : équipe technique"),
    Move(ROOT, "identite", 0, 2_000_00, "Enveloppe votée par la coordination : identité"),
    Move(ROOT, "formation", 0, 1_000_00, "Enveloppe votée par la coordination : formation à la documentation"),
    Move(ROOT, "capsules", 1, 2_000_00, "Enveloppe votée par la coordination : capsules et tutoriels"),
    Move(ROOT, "movicamp", 1, 2_000_00, "Enveloppe votée par la coordination : Movicamp"),
    Move(ROOT, "contenus", 2, 2_000_00, "Enveloppe votée par la coordination : contenus"),
    Move(ROOT, "antimanuel", 2, 1_000_00, "Enveloppe votée par la coordination : anti-manuel"),
    Move(ROOT, "machines", 3, 1_000_00, "Enveloppe votée par la coordination : machines"),
    Move(ROOT, "fonctions", 7, 3_000_00, "Enveloppe votée par la coordination : nouvelles fonctionnalités"),
)
ALLOCATED = {move.target: move.amount for move in MOVES}

# Decided otherwise, or not yet.
LATE_MOVES = (
    Move(
        "machines", "technique", 9, 600_00, "Achat d’un serveur de secours", decided=False,
        refusal="La charte des machines ne couvre pas l’hébergement : à redemander au pot commun.",
    ),
    Move("fonctions", "capsules", 11, 640_00, "Les capsules manquent d’argent, les fonctionnalités ne sont pas lancées",
         decided=None),
)  # fmt: skip

WORK = (
    Work("technique", "yoann", 0, 14, "development", 960, 480_00, "Mise à jour de MediaWiki et de ses extensions"),
    Work("technique", "lucas", 1, 8, "development", 480, 240_00, "Sauvegardes chiffrées et leur essai de restauration"),
    Work("technique", "bo", 2, 12, "support", 300, 150_00, "Permanence technique du trimestre"),
    Work("technique", "simon", 2, 18, "support", 420, 0, "Réponses sur le forum, bénévolement"),
    Work("technique", "yoann", 3, 9, "development", 900, 450_00, "Recherche sémantique des lieux et des pratiques"),
    Work("technique", "lucas", 4, 17, "development", 720, 360_00, "Passage du serveur à Debian 12"),
    Work("technique", "aoife", 5, 6, "review", 480, 240_00, "Relecture de sécurité des modèles publics"),
    Work("technique", "yoann", 6, 11, "development", 840, 420_00, "Import des lieux depuis les cartes régionales"),
    Work("technique", "lucas", 7, 15, "support", 480, 240_00, "Panne du 14 : diagnostic, reprise, compte rendu"),
    Work("technique", "bo", 8, 10, "development", 600, 300_00, "Export des pages en PDF pour l’impression"),
    Work("technique", "rosemarie", 8, 12, "facilitation", 240, 900_00, "Réunions avec les hébergeurs", "reject",
         "Ces réunions sont déjà comptées dans l’enveloppe de coordination."),
    Work("technique", "yoann", 9, 14, "development", 720, 360_00, "Connexion unique avec le forum des tiers-lieux"),
    Work("technique", "lucas", 10, 9, "development", 480, 240_00, "Tableau de bord de la fréquentation, sans traceur"),
    Work("technique", "aoife", 11, 16, "review", 360, 180_00, "Accessibility review of the page templates"),
    Work("identite", "fatou", 1, 11, "design", 1_200, 700_00, "Charte graphique : logo, couleurs, gabarits"),
    Work("identite", "maia", 3, 20, "design", 600, 300_00, "Planches d’illustration pour les fiches"),
    Work("identite", "rosemarie", 4, 22, "facilitation", 360, 200_00, "Atelier de choix du nom des rubriques"),
    Work("identite", "fatou", 8, 13, "design", 960, 600_00, "Déclinaison pour les réseaux"),
    Work("identite", "rosemarie", 10, 21, "facilitation", 540, 300_00, "Tournée de présentation de l’identité"),
    Work("formation", "camille", 2, 7, "documentation", 720, 360_00, "Parcours « documenter en une heure »"),
    Work("formation", "maia", 4, 9, "facilitation", 480, 280_00, "Deux sessions à distance, 31 personnes"),
    Work("formation", "simon", 5, 13, "facilitation", 180, 0, "Aide à l’animation de la seconde session"),
    Work("capsules", "fatou", 4, 12, "design", 720, 420_00, "Trois capsules vidéo : créer une page"),
    Work("capsules", "camille", 5, 17, "documentation", 600, 340_00, "Sous-titres et transcriptions des capsules"),
    Work("capsules", "maia", 7, 18, "documentation", 540, 300_00, "Tutoriel : décrire une machine"),
    Work("capsules", "fatou", 8, 20, "design", 540, 300_00, "Capsule : l’histoire d’une fiche"),
    Work("capsules", "camille", 9, 22, "documentation", 720, 440_00, "Cahier d’exercices des tutoriels"),
    Work("capsules", "fatou", 10, 14, "design", 660, 400_00, "Deux capsules : photographier un lieu"),
    Work("capsules", "maia", 11, 10, "documentation", 300, 160_00, "Relecture croisée des tutoriels"),
    Work("movicamp", "rosemarie", 5, 19, "facilitation", 1_440, 720_00, "Préparation du Movicamp : lieu et programme"),
    Work("movicamp", "camille", 7, 8, "facilitation", 960, 480_00, "Animation des deux jours du Movicamp"),
    Work("movicamp", "maia", 7, 9, "documentation", 600, 320_00, "Prise de notes et mise en ligne des ateliers"),
    Work("movicamp", "bo", 7, 10, "support", 480, 260_00, "Régie, réseau et matériel sur place"),
    Work("movicamp", "simon", 7, 9, "facilitation", 960, 0, "Accueil des participantes et participants"),
    Work("contenus", "camille", 4, 16, "documentation", 480, 250_00, "Dossier « ouvrir un lieu en milieu rural »"),
    Work("contenus", "aoife", 5, 8, "documentation", 480, 250_00, "English summaries of forty pages"),
    Work("contenus", "maia", 7, 22, "documentation", 600, 320_00, "Fiches de huit lieux nourriciers"),
    Work("contenus", "camille", 8, 16, "documentation", 540, 300_00, "Fiche pratique : la gouvernance partagée"),
    Work("contenus", "aoife", 10, 12, "documentation", 420, 220_00, "English summaries, second series"),
    Work("contenus", "camille", 11, 8, "documentation", 480, 260_00, "Dossier « financer un commun »"),
    Work("antimanuel", "maia", 4, 20, "documentation", 480, 250_00, "Anti-manuel : sommaire et trois chapitres"),
    Work("antimanuel", "fatou", 6, 19, "design", 360, 200_00, "Anti-manuel : maquette à imprimer soi-même"),
    Work("antimanuel", "maia", 11, 17, "documentation", 420, 220_00, "Anti-manuel : chapitre sur les échecs", ""),
    Work("machines", "lucas", 7, 12, "documentation", 420, 200_00, "Fiches de dix machines à commande numérique"),
    Work("machines", "bo", 10, 18, "documentation", 300, 180_00, "Inventaire partagé des ateliers de réparation"),
    Work("technique", "yoann", 12, 2, "development", 360, 180_00, "Correction du moteur de recherche", ""),
    Work("technique", "bo", 12, 3, "support", 120, 60_00, "Permanence technique", ""),
    Work("identite", "fatou", 12, 3, "design", 240, 130_00, "Gabarit d’affiche pour les lieux", ""),
    Work("contenus", "camille", 12, 2, "documentation", 300, 160_00, "Fiche pratique : chantiers participatifs", ""),
    Work("capsules", "rosemarie", 12, 3, "facilitation", 180, 110_00, "Recueil des besoins de tutoriels auprès de "
         "vingt-deux tiers-lieux de Bretagne, des Pays de la Loire et de Normandie, avec compte rendu public", ""),
)  # fmt: skip

CLOSINGS = (
    Closing("technique", 3, "elodie", approver="claire"),
    Closing("technique", 6, "claire"),
    Closing("identite", 6, "elodie", approver="claire"),
    Closing("formation", 6, "denis", approver="claire"),
    Closing("capsules", 6, "claire"),
    Closing("contenus", 6, "claire"),
    Closing("technique", 9, "denis", approver="claire"),
    Closing("capsules", 9, "elodie"),
    Closing("contenus", 9, "claire"),
    Closing("antimanuel", 9, "elodie", approver="claire"),
    Closing("movicamp", 10, "claire"),
    Closing("technique", 12, "elodie", approver="denis"),
    Closing("identite", 12, "denis", approved=2, approver="claire"),
    Closing("contenus", 12, "elodie", approved=4, approver="denis"),
    Closing("capsules", 12, "claire", approved=None),
    Closing("machines", 12, "elodie", approved=None),
)

AGREEMENTS = (
    Agreement(
        "contenus", 9, 0, "Réunion du 1er : Camille laisse vingt euros à Maïa, qui a repris une partie de ses fiches.",
        {"camille": 280_00, "maia": 340_00}, ("camille", "maia"),
    ),
    Agreement(
        "capsules", 12, 1, "Réunion de clôture : le cahier d’exercices a servi à tout le monde, à égalité.",
        {"camille": 300_00, "fatou": 240_00, "maia": 100_00}, ("camille",),
    ),
)  # fmt: skip
