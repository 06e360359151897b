"""Backup, destroy, restore in another checkout with `./run` alone: the same books, frozen, lifted by two people.

    ./run prove restore [--slice]

Two copies of the project, each with its own state folder and engines. The first loads the demonstration, is backed up
and destroyed. The second refuses the backup while it has other keys, restores it once it has them, gives the same trial
balance byte for byte, refuses payouts, and lets two people go on after a bank statement was imported.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from zoneinfo import ZoneInfo

ROOT = Path(__file__).resolve().parents[2]
PARTS = ["backend", "worker", "deploy", "run", "pyproject.toml"]
FACTS = """
import json
from backend.identity.models import HostBankAccount
from backend.ledger.services import balance, frozen
account = HostBankAccount.objects.get()
held = frozen()
print(json.dumps({"iban": account.iban, "frozen": held.cause if held else "",
                  "booked": balance(kind="bank", owner=account.pk, currency="EUR")}))
"""


class Failed(Exception):
    """What was expected did not happen."""


class Checkout:
    """A copy of the project with a state folder of its own, used through ./run alone."""

    def __init__(self, folder: Path) -> None:
        """Copy what serves; nothing is installed: this Python is used."""
        self.folder = folder
        folder.mkdir()
        for part in PARTS:
            source = ROOT / part
            if source.is_dir():
                shutil.copytree(source, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
            else:
                shutil.copy2(source, folder / part)

    def run(self, *words: str, said: str = "", code: int = 0, typed: str = "") -> str:
        """Run ./run; Failed when it leaves with another code, or its errors lack `said`. Returns its output."""
        brought = ("DATABASE_", "REDIS_URL", "TRONC_", "PYTHONPATH", "DJANGO_")
        env = {key: value for key, value in os.environ.items() if not key.startswith(brought)}
        done = subprocess.run(
            [sys.executable, str(self.folder / "run"), *words],
            env=env | {"TRONC_RUN_PYTHON": sys.executable},
            cwd=self.folder,
            input=typed,
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
        )
        if done.returncode != code or said not in done.stderr + done.stdout:
            raise Failed(f"./run {' '.join(words)} left with {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def facts(self) -> dict[str, str | int]:
        """The account, what the books say of it, and whether payouts are frozen."""
        printed = self.run("manage", "shell", "--no-imports", "-c", FACTS)
        return dict(json.loads(printed.strip().splitlines()[-1]))


def statement(path: Path, facts: dict[str, str | int]) -> Path:
    """A statement of the bank that agrees with the books and shows nothing new."""
    from backend.operations.demo import statement_file

    today = datetime.now(ZoneInfo("Europe/Paris")).date()  # of the host: after midnight there it is not that of UTC
    world = SimpleNamespace(today=today, account=SimpleNamespace(iban=facts["iban"]))
    path.write_bytes(statement_file(world, number=9001, opening=int(facts["booked"]), lines=[]))  # type: ignore[arg-type]
    return path


def prove(folder: Path) -> None:
    """The whole story; raises Failed."""
    first, second, file = Checkout(folder / "first"), Checkout(folder / "second"), folder / "tronc.tar"
    first.run("manage", "load_demo")
    first.run("manage", "selfcheck", said="Nothing is wrong.")
    before = first.run("manage", "trial_balance")
    first.run("backup", str(file))
    keys = (first.folder / ".tronc" / "secrets.json").read_bytes()
    first.run("reset", "--yes")
    print("backed up and destroyed", flush=True)

    second.run("restore", str(file), code=1, said="is not the one of this backup")
    (second.folder / ".tronc" / "secrets.json").write_bytes(keys)
    second.run("restore", str(file), said="the trial balance is that of the backup")
    second.run("restore", str(file), code=1, said="This instance is in use")
    if second.run("manage", "trial_balance") != before:
        raise Failed("the trial balance is not the same")
    second.run("manage", "selfcheck", said="Nothing is wrong.")
    facts = second.facts()
    if facts["frozen"] != "restore":
        raise Failed("the restored instance is not frozen")
    print("restored in another folder: same trial balance, self-check passed, frozen", flush=True)

    lift = ["manage", "unfreeze", "--reason", "The bank agrees", "--password-stdin", "--as"]
    typed = f"{_password()}\n"
    second.run(*lift, "claire@example.org", typed=typed, said="asks to lift")
    second.run(*lift, "denis@example.org", typed=typed, code=1, said="Import a statement of each account")
    second.run("manage", "import_statement", str(statement(folder / "camt.xml", facts)))
    second.run("manage", "sweep")
    second.run(*lift, "denis@example.org", typed=typed, said="confirms what")
    if second.facts()["frozen"]:
        raise Failed("payouts are still frozen")
    print("lifted by two people after the bank was compared", flush=True)


def _password() -> str:
    """What the people of the demonstration type."""
    from backend.operations.demo import PASSWORD

    return PASSWORD


def main(arguments: list[str]) -> int:
    """Prove it once; 0 when it holds."""
    parser = argparse.ArgumentParser(prog="restore", description=__doc__)
    parser.add_argument("--slice", action="store_true", help="the same: it is short")
    parser.parse_args(arguments)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.settings")
    import django

    django.setup()
    with tempfile.TemporaryDirectory(prefix="tronc-restore-") as folder:
        try:
            prove(Path(folder))
        except Failed as failure:
            print(f"FAILED: {failure}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
