"""Whether the time of an answer tells who has an account: the forms of strangers, for a known and an unknown address.

    ./run bench enumeration [--samples N]

Each form is sent N times for addresses that have an account and N times for addresses that have none, in turn, with the
product's own password hash. The ratio of the medians must lie within 10 %; a run tells it and never fails by it.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable

from backend.core.limits import STRANGERS_SECONDS
from tests.bench._stage import Server

WITHIN = 0.10
LONG = "quatre navets dans un cageot"
Facts = Callable[[str], dict[str, str]]
FORMS: dict[str, tuple[str, Facts]] = {
    "sign-in": ("login/", lambda email: {"login": email, "password": "pas le bon mot de passe"}),
    "reset": ("password/reset/", lambda email: {"email": email}),
    "sign-in link": ("login/code/", lambda email: {"email": email}),
    "sign-up": (
        "signup/",
        lambda email: {"name": "Dune Leroy", "email": email, "password1": LONG, "password2": LONG, "accept": "on"},
    ),
}


def main(arguments: list[str]) -> int:
    """Measure each form; 0 unless something else than time went wrong."""
    parser = argparse.ArgumentParser(prog="enumeration", description=__doc__)
    parser.add_argument("--samples", type=int, default=200, help="how often each form is sent for each kind of address")
    samples = parser.parse_args(arguments).samples
    server = Server()
    try:
        server.migrated("enumeration")
        os.environ.update(server.environment("enumeration"))
        measure(samples)
    finally:
        server.stop()
    return 0


def measure(samples: int) -> None:
    """Make the accounts, send the forms, print one line a form."""
    import logging

    import django

    django.setup()
    from allauth.account.models import EmailAddress
    from django.conf import settings
    from django.contrib.auth.hashers import make_password

    from backend.identity.models import Host, User

    logging.disable(logging.CRITICAL)
    settings.ACCOUNT_RATE_LIMITS = False  # not {}, which means the limits of the library
    settings.STRANGERS_WAIT = STRANGERS_SECONDS  # as on a real installation
    Host.objects.create(id="hst_enumeration", name="Les Communs", siren="123456782", fee_bp=500)
    hashed = make_password(LONG)
    for number in range(samples):
        user = User(email=f"known{number}@example.org", name="Ana Ruiz", password=hashed)
        user.save()
        EmailAddress.objects.create(user=user, email=user.email, verified=True, primary=True)
    for form, (page, facts) in FORMS.items():
        times: dict[str, list[float]] = {"known": [], "other": []}
        statuses: set[int] = set()
        for number in range(samples):
            kinds = ("known", "other") if number % 2 else ("other", "known")  # neither always comes first
            for kind in kinds:
                address = (
                    f"{kind}{number}@example.org" if kind == "known" else f"{form[:6].strip()}{number}@example.org"
                )
                spent, status = send(f"/fr/accounts/{page}", facts(address))
                times[kind].append(spent)
                statuses.add(status)
        known, other = (statistics.median(times[kind]) for kind in ("known", "other"))
        ratio = known / other
        line = {
            "bench": "enumeration", "form": form, "samples": samples, "known_ms": round(known * 1000, 2),
            "unknown_ms": round(other * 1000, 2), "ratio": round(ratio, 3), "statuses": sorted(statuses),
            "verdict": "right" if abs(ratio - 1) <= WITHIN else "short",
        }  # fmt: skip
        print(json.dumps(line), flush=True)


def send(path: str, facts: dict[str, str]) -> tuple[float, int]:
    """Send a form from a browser that has no cookie yet; gives the seconds of the answer and its status."""
    from django.test import Client

    browser = Client(headers={"host": "localhost"})
    begun = time.perf_counter()
    answer = browser.post(path, facts)
    return time.perf_counter() - begun, answer.status_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
