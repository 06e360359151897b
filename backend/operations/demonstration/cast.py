"""Who plays in the demonstration: invented people and organisations, with invented accounts."""

from dataclasses import dataclass

from stdnum import iban

from backend.identity.models import User
from backend.operations.demo import HOST_BIC, HOST_IBAN, PASSWORD

__all__ = [
    "DOMAIN",
    "HOST_BIC",
    "HOST_IBAN",
    "ORGANISATIONS",
    "PASSWORD",
    "PEOPLE",
    "Organiser",
    "Person",
    "account_of",
]

DOMAIN = "example.org"  # RFC 2606: it belongs to nobody, no mail reaches it


@dataclass(frozen=True)
class Person:
    """Someone with an address of the demonstration: `public_name` is what public pages say, `paid` gives an account."""

    name: str
    public_name: str = ""
    paid: bool = False
    language: str = "fr"


@dataclass(frozen=True)
class Organiser:
    """An organisation, its kind, who manages it and who else belongs to it (keys of PEOPLE)."""

    name: str
    kind: str
    manager: str
    members: tuple[str, ...] = ()


PEOPLE = {
    "claire": Person("Claire Moreau"),
    "denis": Person("Denis Caron"),
    "odile": Person("Odile Perrin"),
    "yanis": Person("Yanis Belkacem"),
    "ana": Person("Ana Ruiz"),
    "paul": Person("Paul Girard"),
    "lea": Person("Léa Fontaine"),
    "ines": Person("Inès Haddad"),
    "karim": Person("Karim Benali"),
    "sophie": Person("Sophie Laurent"),
    "marc": Person("Marc Dubois"),
    "helene": Person("Hélène Vasseur"),
    "sacha": Person("Sacha Le Goff"),
    "elodie": Person("Élodie Marchand"),
    "thomas": Person("Thomas Roy"),
    "nadia": Person("Nadia Cherif"),
    "hugo": Person("Hugo Lemaire"),
    "bo": Person("Bo Nguyen", "Bo", paid=True),
    "camille": Person("Camille Faure", paid=True),
    "yoann": Person("Yoann Le Bihan", "Yoann Le Bihan", paid=True),
    "lucas": Person("Lucas Petit", "Lucas", paid=True),
    "fatou": Person("Fatou Diallo", "Fatou Diallo", paid=True),
    "maia": Person("Maïa Robert", "Maïa", paid=True),
    "rosemarie": Person("Rose-Marie de La Tour-Beaumont-Lauraguais", "Rose-Marie de La Tour-Beaumont-Lauraguais"),
    "simon": Person("Simon Weber", "Simon Weber"),
    "aoife": Person("Aoife Brennan", "Aoife", paid=True, language="en"),
    "jeanne": Person("Jeanne Lefort", "Jeanne Lefort", paid=True),
    "pierre": Person("Pierre Morvan", paid=True),
    "noemie": Person("Noémie Blanchet", "Noémie", paid=True),
}
ORGANISATIONS = {
    "fabrique": Organiser("La Fabrique du Port", "association", "ana"),
    "region": Organiser("Région des Estuaires", "public", "paul", ("lea",)),
    "reseau": Organiser("Réseau régional des tiers-lieux de l’Ouest et des estuaires", "association", "ines"),
    "halles": Organiser("Coopérative Les Halles partagées", "cooperative", "karim"),
    "ateliers": Organiser("Ateliers numériques de la Baie SAS", "company", "sophie"),
    "commune": Organiser("Commune de Saint-Aubin-sur-Rance", "public", "marc"),
    "cooperative": Organiser("Coopérative d’activité et d’emploi du Bocage", "cooperative", "helene"),
}


def account_of(key: str) -> str:
    """A valid French IBAN of nobody, the same at each loading: the account's number is the person's place in PEOPLE."""
    bank, branch, number = "20041", "01005", f"{list(PEOPLE).index(key) + 1:011d}"
    check = 97 - (89 * int(bank) + 15 * int(branch) + 3 * int(number)) % 97
    domestic = f"{bank}{branch}{number}{check:02d}"
    return str(iban.validate(f"FR{iban.calc_check_digits(f'FR00{domestic}')}{domestic}"))


def address(key: str) -> str:
    """The e-mail address of a person of the demonstration."""
    return f"{key}@{DOMAIN}"


def everyone() -> list[User]:
    """The people of the demonstration that this instance holds, in the order of the cast."""
    places = {address(key): place for place, key in enumerate(PEOPLE)}
    found = User.objects.filter(email__endswith=f"@{DOMAIN}", is_active=True).order_by("name")
    return sorted(found, key=lambda person: places.get(person.email, len(places)))
