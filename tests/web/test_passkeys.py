"""Passkeys in a real browser with a virtual authenticator: added, used alone and as second step, refused, removed."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest
from allauth.mfa.models import Authenticator

from backend.events.models import Event
from backend.identity.models import User
from backend.operations import demo
from tests.conftest import Processes

CHROMIUM = "/usr/bin/chromium"
DEVICE = {
    "protocol": "ctap2", "transport": "internal", "hasResidentKey": True, "hasUserVerification": True,
    "isUserVerified": True, "automaticPresenceSimulation": True,
}  # fmt: skip


class Desk:
    """A browser with an authenticator of its own, and what it complained of."""

    def __init__(self, browser: Any, address: str) -> None:
        """Open a page and plug the authenticator in."""
        self.address = address
        self.page = browser.new_context().new_page()
        self.faults: list[str] = []
        self.page.on("console", lambda line: self.faults.append(line.text) if line.type == "error" else None)
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("request", self._asked)
        self.cdp = self.page.context.new_cdp_session(self.page)
        self.cdp.send("WebAuthn.enable")
        self.device = self.cdp.send("WebAuthn.addVirtualAuthenticator", {"options": DEVICE})["authenticatorId"]

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(self.address):
            self.faults.append(f"a request to {request.url}")

    def open(self, path: str) -> None:
        """Go to a page."""
        self.page.goto(f"{self.address}{path}")

    def at(self, path: str) -> None:
        """Wait to be on a page."""
        self.page.wait_for_url(lambda url: urlsplit(url).path == path, timeout=15_000)

    def password(self, person: User, then: str = "/en/account/") -> None:
        """Type the address and the password."""
        self.open(f"/en/accounts/login/?next={then}")
        self.page.fill("[name=login]", person.email)
        self.page.fill("[name=password]", demo.PASSWORD)
        self.page.click("form:has([name=password]) button")

    def use(self) -> None:
        """Press the button of the passkey."""
        self.page.click("#passkey-go")

    def leave(self) -> None:
        """Forget the session, keep the authenticator."""
        self.page.context.clear_cookies()


@pytest.fixture
def desk(processes: Processes) -> Iterator[Desk]:
    """A browser before the real web server."""
    from playwright.sync_api import sync_playwright

    address = processes.web(workers=1).replace("127.0.0.1", "localhost")  # a passkey belongs to a name, not a number
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield Desk(browser, address)
        browser.close()


def in_tables(act: Any) -> Any:
    """Read the database while the browser's loop runs in this thread."""
    from concurrent.futures import ThreadPoolExecutor

    from django.db import connection

    def work() -> Any:
        try:
            return act()
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as alone:
        return alone.submit(work).result()


@pytest.mark.browser
@pytest.mark.timeout(400)
def test_a_passkey_from_the_first_to_the_last_day(play: Any, committed: str, desk: Desk) -> None:
    world = in_tables(lambda: play("make_house"))
    ana = world.users["ana"]
    in_tables(lambda: User.objects.filter(pk=ana.pk).update(language="en"))
    # added: after the password, with ten recovery codes
    desk.password(ana)
    desk.at("/en/account/")
    desk.open("/en/accounts/2fa/webauthn/add/")
    desk.page.fill("[name=name]", "Phone of Ana")
    assert desk.page.is_checked("[name=passwordless]")
    desk.use()
    desk.at("/en/accounts/2fa/recovery-codes/")
    assert desk.page.locator("ol.codes li").count() == 10
    credentials = desk.cdp.send("WebAuthn.getCredentials", {"authenticatorId": desk.device})["credentials"]
    assert [one["rpId"] for one in credentials] == ["localhost"]
    assert in_tables(lambda: Authenticator.objects.get(user=ana, type="webauthn").wrap().name) == "Phone of Ana"
    desk.open("/en/accounts/2fa/webauthn/")
    assert "signs in alone" in desk.page.inner_text("main")
    # alone, from the link of the sign-in page, back to the page that was asked for
    desk.leave()
    desk.open("/en/accounts/login/?next=/en/organisations/")
    assert desk.page.locator("script").count() == 0
    desk.page.click("text=Sign in with a passkey")
    desk.at("/en/accounts/2fa/webauthn/login/")
    desk.use()
    desk.at("/en/organisations/")
    # as second step after the password
    desk.leave()
    desk.password(ana)
    desk.at("/en/accounts/2fa/authenticate/")
    desk.use()
    desk.at("/en/account/")
    # asked again before what matters: its page, and the way back
    desk.open("/en/accounts/2fa/webauthn/reauthenticate/?next=/en/tokens/")
    desk.use()
    desk.at("/en/tokens/")
    # refused by the person, or of another device: said in words, nobody comes in
    desk.leave()
    desk.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": desk.device, "isUserVerified": False})
    desk.open("/en/accounts/2fa/webauthn/login/")
    assert not desk.page.is_visible("#passkey-trouble")
    desk.use()
    desk.page.wait_for_selector("#passkey-trouble", state="visible", timeout=90_000)
    assert "The passkey did not answer" in desk.page.inner_text("#passkey-trouble")
    desk.open("/en/account/")
    desk.at("/en/accounts/login/")
    # removed: it opens nothing any more
    desk.cdp.send("WebAuthn.setUserVerified", {"authenticatorId": desk.device, "isUserVerified": True})
    desk.open("/en/accounts/2fa/webauthn/login/?next=/en/accounts/2fa/webauthn/")
    desk.use()
    desk.at("/en/accounts/2fa/webauthn/")
    desk.page.click("text=Remove")
    desk.page.click("main .btn.danger")
    desk.at("/en/accounts/2fa/webauthn/")
    assert in_tables(lambda: Authenticator.objects.filter(user=ana).count()) == 0
    desk.leave()
    desk.open("/en/accounts/2fa/webauthn/login/")
    desk.use()
    desk.page.wait_for_selector("#errors", timeout=15_000)
    desk.open("/en/account/")
    desk.at("/en/accounts/login/")
    told = in_tables(lambda: list(Event.objects.filter(kind__startswith="factor.").values_list("kind", flat=True)))
    assert sorted(told) == ["factor.added", "factor.removed"]
    assert [fault for fault in desk.faults if "422" not in fault] == []
