"""The whole demonstration on real processes, then a search of everything that is kept or shown: no secret is there.

Secrets are the IBANs of payees and of payers, the texts of API tokens and the keys of second factors. The IBAN of the
host is public: it is printed on every call for funds. It is looked for too, to show that the search finds.
"""

import re
import subprocess
from collections import deque
from collections.abc import Iterator
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote, urlsplit
from urllib.request import Request, urlopen

import pytest
import redis
from allauth.mfa.models import Authenticator
from django.db import connection
from django.urls import Resolver404, resolve
from django.utils import timezone

from backend.banking.services import import_statement
from backend.commons.models import Budget
from backend.core import crypto
from backend.identity.models import User
from backend.identity.services import the_host
from backend.identity.tokens import create_token
from backend.notifications.models import OutgoingMail
from backend.operations import demo, demonstration, postgres_tools
from backend.operations.demonstration import cast
from backend.payees.models import Payee
from backend.payees.services import open_iban
from tests import databases
from tests.conftest import Processes, free_port
from tests.journeys.browser import Browser
from tests.valkey import Valkey

# Valid IBANs of nobody, which payers wrote or whose banks wrote them.
PAYERS = ["DE89370400440532013000", "BE68539007547034", "GB29NWBK60161331926819"]
WALKERS = ("claire", "odile", "sacha", "bo", "ana", "yanis")
PAGES_OF_A_ROUTE = 1
# Pages whose purpose is to hand the file of payments to the bank: their content is opened only there.
HANDED_OVER = {"batch_file", "batch_download", "account_logout", "demo", "personal_file"}


@pytest.fixture
def valkey(tmp_path: Path) -> Iterator[Valkey]:
    """A broker of this test's own."""
    server = Valkey(tmp_path, free_port())
    server.start()
    yield server
    server.kill()


def found_in(text: str, secrets: dict[str, str]) -> list[str]:
    """The names of the secrets that a text holds, in one piece or in groups, whatever the case."""
    plain = re.sub(r"[\s\u00a0+]|%20|&nbsp;", "", text).lower()
    return [name for name, secret in secrets.items() if secret.lower() in plain]


def secrets_of(tokens: list[str]) -> dict[str, str]:
    """Name → secret, in clear: what the instance knows and nobody should read anywhere."""
    payees = {f"iban of {row.name}": open_iban(row) for row in Payee.objects.exclude(iban_sealed="")}
    payers = {f"iban of payer {number}": iban for number, iban in enumerate(PAYERS)}
    factors = {
        f"factor of {row.user_id}": crypto.decrypt(row.data["secret"], bound_to="allauth.mfa")
        for row in Authenticator.objects.filter(type=Authenticator.Type.TOTP)
    }
    return {**payees, **payers, **factors, **{f"token {number}": text for number, text in enumerate(tokens)}}


def dump(name: str) -> str:
    """The database as text, as its owner sees it."""
    url = databases.named(databases.owner_url(), name)
    server = int(connection.cursor().connection.info.server_version) // 10000
    with postgres_tools.start("pg_dump", url, server, "--inserts", name, stdout=subprocess.PIPE) as process:
        told, error = process.communicate()
    assert process.returncode == 0, error
    return str(told.decode())


def letters(folder: Path) -> list[str]:
    """Every message of the folder as people read it, headers included."""
    found = []
    for path in folder.glob("*"):
        for raw in re.split(rb"\n-{70,}\n", path.read_bytes()):
            message = message_from_bytes(raw)
            bodies = [part.get_payload(decode=True) for part in message.walk() if not part.is_multipart()]
            found.append("\n".join([str(message), *(body.decode() for body in bodies if isinstance(body, bytes))]))
    return found


def broker(url: str) -> str:
    """All that the broker holds, the messages of tasks with it."""
    client: Any = redis.Redis.from_url(url)
    told = []
    for key in client.scan_iter():
        kind = client.type(key).decode()
        read = {"list": lambda k: client.lrange(k, 0, -1), "hash": client.hgetall, "set": client.smembers}
        told.append(f"{key!r} {read[kind](key)!r}" if kind in read else f"{key!r} {client.dump(key)!r}")
    client.close()
    return "\n".join(told)


def walk(browser: Browser, pages: dict[str, str]) -> None:
    """Read what links lead to, some pages of each route, and keep them by address."""
    waiting, known, seen = deque(["/en/"]), {"/en/"}, dict[str, int]()
    while waiting:
        path = waiting.popleft()
        try:
            name = resolve(path).url_name or ""
        except Resolver404:
            continue
        if name in HANDED_OVER or seen.get(name, 0) >= PAGES_OF_A_ROUTE:
            continue
        seen[name] = seen.get(name, 0) + 1
        browser.get(f"{browser.address}{path}")
        pages[f"{path} {browser.status}"] = browser.html
        for link in re.findall(r'href="(/en/[^"?#]*)', browser.html):
            if link not in known:
                known.add(link)
                waiting.append(link)


def ask(address: str, *, token: str = "", body: bytes | None = None) -> str:
    """What the API answers, refusals included."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    if body is not None:
        headers |= {"Content-Type": "application/json", "Idempotency-Key": "a-key-of-the-test"}
    try:
        with urlopen(Request(address, data=body, headers=headers), timeout=60) as answer:
            return str(answer.read().decode())
    except HTTPError as refused:
        return refused.read().decode()


def provoke(browser: Browser, tokens: list[str], budget: str) -> dict[str, str]:
    """Refusals and errors whose cause holds secrets: what is answered to each."""
    told = {}
    for name, token in {"good": tokens[0], "ended": tokens[1][:-1] + "x"}.items():
        told[f"api {name}"] = ask(f"{browser.address}/v1/contributions?budget={budget}", token=token)
        told[f"api address {name}"] = ask(f"{browser.address}/v1/commons?token={quote(token)}")
        told[f"api body {name}"] = ask(
            f"{browser.address}/v1/contributions",
            token=token,
            body=f'{{"iban": "{PAYERS[0]}", "minutes": NaN}}'.encode(),
        )
    browser.get(f"accounts/login/?token={tokens[0]}")
    # A page that is not there repeats no more than the address that was asked for: it is not among the answers.
    browser.get(f"nowhere/{PAYERS[1]}/")
    assert browser.status == 404
    browser.get("bank/import/").submit(file=("file", f"<Document>{PAYERS[2]}</Document>".encode()))
    told["a statement that is none"] = browser.html
    return told


@pytest.mark.live
@pytest.mark.timeout(900)
def test_no_secret_is_kept_or_shown(
    committed: str, processes: Processes, valkey: Valkey, capsys: pytest.CaptureFixture[str]
) -> None:
    now = timezone.now()
    assert demonstration.load(now)
    users = {key: User.objects.get(email=cast.address(key)) for key in WALKERS}
    tokens = [
        create_token(user=users[key], name="t", scopes=["commons:read"], days=30, now=now)[1] for key in WALKERS[:3]
    ]
    world = demo.World(now=now)
    world.host = the_host()
    world.account = world.host.bank_accounts.get(currency="EUR")
    data = demo.statement_file(
        world, number=900, opening=0,
        lines=[(10_00, f"MARTIN {iban}", f"VIR {iban} merci", iban) for iban in PAYERS],
    )  # fmt: skip
    import_statement(actor=users["claire"], data=data, accept_gap=True, now=now)
    secrets = secrets_of(tokens)
    assert len(secrets) >= 15

    processes.environment |= {"REDIS_URL": valkey.url, "TRONC_LOG_FORMAT": "json"}
    address = processes.web(workers=1)
    pages: dict[str, str] = {}
    provoked: dict[str, str] = {}
    for key in WALKERS:
        browser = Browser(address, "en").sign_in(cast.address(key), cast.PASSWORD)
        walk(browser, pages)
        if key == "claire":
            provoked = provoke(browser, tokens, Budget.objects.values_list("pk", flat=True)[0])
    # Nobody takes the messages of tasks yet: they are read as they wait.
    browser.get("organisations/new/").submit("name", "kind", name="Les Halles", kind="informal")
    messages = broker(valkey.url)
    processes.worker()
    processes.beat()
    processes.wait(lambda: not OutgoingMail.objects.filter(state="due").exists(), "the mail", 120)
    mails = letters(processes.folder / "mail")
    logs = "\n".join(path.read_text() for path in processes.folder.glob("*.log"))
    database = dump(committed)

    host = {"the host’s": world.account.iban}
    assert found_in(database, host)
    assert found_in("\n".join(mails), host)
    assert found_in("\n".join(pages.values()), host)
    assert "tronc.sweep" in messages
    assert '"route"' in logs
    assert len(pages) > 100
    assert len(mails) > 0
    assert {urlsplit(path).path for path in pages if path.endswith(" 500")} == set()

    places = {"dump": database, "logs": logs, "broker": messages, "mails": "\n".join(mails)}
    places |= {f"page {path}": html for path, html in pages.items()}
    places |= {f"answer to {what}": html for what, html in provoked.items()}
    found = {place: names for place, text in places.items() if (names := found_in(text, secrets))}
    with capsys.disabled():
        print(
            f"\n{len(secrets)} secrets looked for in a dump of {len(database)} characters, {len(logs)} of logs, "
            f"{len(messages)} of the broker, {len(mails)} mails, {len(pages)} pages, {len(provoked)} refusals: "
            f"{sum(map(len, found.values()))} found"
        )
    assert found == {}


def test_the_search_finds_what_is_there() -> None:
    secrets = {"a": "FR7630006000011234567890189"}
    for text in (
        "x FR7630006000011234567890189", "FR76 3000 6000 0112 3456 7890 189", "fr76\u00a03000 60000112 34567890189",
        "?iban=FR76%203000600001 1234567890189",
    ):  # fmt: skip
        assert found_in(text, secrets) == ["a"]
    assert found_in("FR76 •••• 0189", secrets) == []
