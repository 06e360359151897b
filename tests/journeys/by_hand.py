"""The journey as people take it: pages for organisation and treasurers, the API for contributors."""

import hashlib
import json
import re
import secrets
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from backend.operations import demo
from tests.journeys.browser import Browser

Wait = Callable[[Callable[[], Any], str], Any]


class ByHand:
    """Six people at their screens, on a running instance whose house is made (demo.make_house)."""

    def __init__(self, world: demo.World, address: str, wait: Wait, browser: type[Browser] = Browser) -> None:
        """Open everybody's browser when needed. `wait(ready, what)` waits for background work."""
        self.world, self.address, self.wait, self.browser = world, address, wait, browser
        self.people: dict[str, Browser] = {}
        self.browsers: dict[str, Browser] = {}
        self.pledge_url = self.reference = self.distribution_url = self.batch_url = ""
        self.tokens: dict[str, str] = {}
        self.keys: dict[str, str] = {}
        self.end_to_end: list[tuple[int, str, str]] = []

    def person(self, key: str) -> Browser:
        """A person's browser, signed in."""
        if key not in self.people:
            browser = self.browsers.setdefault(key, self.browser(self.address))
            self.people[key] = browser.sign_in(f"{key}@example.org", demo.PASSWORD)
        return self.people[key]

    def start_over(self) -> None:
        """Everybody must sign in again, from the browser that the house knows."""
        for browser in self.browsers.values():
            browser.forget_session()
        self.people.clear()

    def pledge(self) -> None:
        """Ana promises a hundred euros and reads how to pay."""
        ana = self.person("ana").get("commons/cartolibre/pledge/")
        ana.submit("form_key", "organisation", amount="100,00")
        ana.submit("confirmed")
        assert "/pledges/" in ana.url, ana.html
        self.pledge_url = ana.url
        found = re.search(r"RF\d\d(?:[ \u00a0\u202f]?[2-9A-Z]{4}){3}", ana.html)
        assert found, ana.html
        self.reference = found.group(0)
        assert demo.HOST_IBAN in re.sub(r"[\s\u00a0\u202f]", "", ana.html)

    def bring_statement(self, data: bytes, by: str = "claire") -> None:
        """A treasurer uploads a statement, reads the preview, confirms."""
        page = self.person(by).get("bank/import/")
        page.submit(file=("file", data))
        assert page.status == 200, page.html
        page.submit("stash")
        assert page.status == 200, page.html

    def receive(self) -> None:
        """The transfer arrives with its reference inside free text; another one nobody can name."""
        lines = [
            (100_00, "LA FABRIQUE DU PORT", f"VIR soutien {self.reference} merci", ""),
            (42_50, "INCONNU", "don", ""),
        ]
        data = demo.statement_file(self.world, number=1, opening=0, lines=lines)
        self.bring_statement(data)
        self.bring_statement(data, by="denis")
        ana = self.person("ana")
        self.wait(lambda: "95,00" in ana.get("commons/cartolibre/").html, "the receipt on the public page")

    def token(self, key: str) -> str:
        """A token made on its page."""
        page = self.person(key).get("tokens/")
        page.submit("name", name="poste", scopes="contributions:write")
        found = re.search(r"tronc_test_[0-9A-Z]{46}", page.html)
        assert found, page.html
        return found.group(0)

    def call(self, token: str, path: str, body: dict[str, Any], key: str) -> tuple[int, dict[str, Any]]:
        """A POST to the API."""
        headers = {
            "Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": key,
        }  # fmt: skip
        request = Request(f"{self.address}/v1/{path}", data=json.dumps(body).encode(), headers=headers)
        try:
            with urlopen(request, timeout=60) as answer:
                return answer.status, json.loads(answer.read())
        except HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read())

    WORK = (("bo", 180, 60_00, "Filtres"), ("camille", 120, 40_00, "Guide"))

    def work(self) -> None:
        """Bo and Camille declare by the API, twice each with one key; Sacha approves on the page."""
        for person, minutes, amount, what in self.WORK:
            token = self.tokens.get(person) or self.token(person)
            self.tokens[person] = token
            key = self.keys.setdefault(person, secrets.token_hex(8))
            body = {
                "budget": self.world.budget.pk,
                "worked_on": self.world.today.isoformat(),
                "kind": "development",
                "minutes": minutes,
                "amount": {"value": amount, "currency": "EUR"},
                "description": what,
                "evidence": ["https://example.org/1"],
            }
            status, first = self.call(token, "contributions", body, key)
            assert status == 201, first
            assert self.call(token, "contributions", body, key) == (201, first)
            page = self.person("sacha").get(f"reviews/{first['id']}/")
            if 'value="approve"' in page.html:
                page.submit("minutes", verdict="approve")
            assert page.status == 200, page.html

    def close(self) -> None:
        """Claire closes the period; the computation comes."""
        claire = self.close_period()
        found = re.search(r"distributions/dis_[0-9A-Z]+/", claire.html)
        assert found, claire.html
        self.distribution_url = f"{self.address}/fr/{found.group(0)}"
        self.wait(lambda: "57,00" in claire.get(self.distribution_url).html, "the computation")

    def close_period(self) -> Browser:
        """Claire follows the assistant to its end, and sees where the period stands."""
        claire = self.person("claire").get(f"periods/{self.world.period.pk}/close/")
        claire.submit("name", name=self.world.budget.full_name)
        assert claire.url.endswith(f"periods/{self.world.period.pk}/close/"), claire.html
        return claire

    def close_again(self) -> None:
        """Claire comes back to a period she has closed: the same distribution, computed meanwhile."""
        claire = self.person("claire").get("periods/")
        found = re.search(r"distributions/dis_[0-9A-Z]+/", claire.get(f"periods/{self.world.period.pk}/").html)
        assert found, claire.html
        self.distribution_url = f"{self.address}/fr/{found.group(0)}"
        self.wait(lambda: "57,00" in claire.get(self.distribution_url).html, "the computation")

    def approve_distribution(self) -> None:
        """Denis reads it and approves."""
        denis = self.person("denis").get(self.distribution_url.rstrip("/") + "/approve/")
        denis.submit("digest")
        assert denis.status == 200, denis.html

    def document(self) -> None:
        """Bo and Camille say what their invoices bear, read the drafts and approve them."""
        for number, (key, *_rest) in enumerate(self.WORK):
            browser = self.person(key).get("work/")
            found = re.search(r"shares/shr_[0-9A-Z]+/", browser.html)
            assert found, browser.html
            page = browser.get(f"{found.group(0)}document/")
            if 'name="digest"' not in page.html and (details := re.search(r"payees/pye_[0-9A-Z]+/", page.html)):
                browser.get(details.group(0)).submit(
                    "vat_status", kind="person", siren=("404833048", "303265045")[number], vat_status="franchise",
                    lines="3 rue Verte", postal_code="35000", city="Rennes", country="FR",
                )  # fmt: skip
                page = browser.get(f"{found.group(0)}document/")
            if 'name="digest"' in page.html:  # else it was approved, and the answer lost
                page.submit("digest", act="approve", mandate="on")
            assert page.status == 200, page.html

    def pay(self) -> bytes:
        """Claire prepares, Denis approves, Claire takes the file."""
        claire = self.person("claire").get("payouts/prepare/")
        claire.submit("account")
        assert claire.status == 200, claire.html
        assert "/payouts/bat_" in claire.url, claire.html
        self.batch_url = claire.url
        self.approve_batch()
        return self.take_file()

    def approve_batch(self) -> None:
        """Denis approves the batch he has read."""
        denis = self.person("denis").get(self.batch_url.rstrip("/") + "/approve/")
        denis.submit("digest")
        assert denis.status == 200, denis.html

    def take_file(self) -> bytes:
        """Claire takes the file to the bank."""
        claire = self.person("claire").get(self.batch_url.rstrip("/") + "/file/")
        claire.submit()
        data = claire.body
        assert data.startswith(b"<?xml"), claire.html
        assert hashlib.sha256(data).hexdigest() in claire.get(self.batch_url).html
        names = re.findall(rb"<Nm>([^<]*)</Nm>", data)[2:]
        ids = re.findall(rb"<EndToEndId>([^<]*)</EndToEndId>", data)
        amounts = re.findall(rb'<InstdAmt Ccy="EUR">([0-9]+)\.([0-9]{2})</InstdAmt>', data)
        self.end_to_end = [
            (int(whole + cents), name.decode(), end.decode())
            for (whole, cents), name, end in zip(amounts, names, ids, strict=True)
        ]
        return data

    def settle(self) -> None:
        """The bank shows the transfers leaving."""
        lines = [(-amount, name, "retribution", end) for amount, name, end in self.end_to_end]
        self.bring_statement(demo.statement_file(self.world, number=2, opening=142_50, lines=lines), by="denis")

    STEPS = ("pledge", "receive", "work", "close", "approve_distribution", "document", "pay", "settle")
