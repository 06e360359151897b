"""Every page in a real browser without scripts: both languages, wide and narrow, nothing cut, axe finds nothing."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backend.banking.models import BankLine
from backend.distributions.models import Share
from backend.operations import demo
from tests.conftest import Processes

CHROMIUM = "/usr/bin/chromium"
WIDTHS = (1280, 360)
PUBLIC = ["", "commons/cartolibre/", "accounts/login/", "accounts/signup/", "accounts/password/reset/"]


def pages(world: Any) -> dict[str, list[str]]:
    """Who looks at what."""
    line = BankLine.objects.get(state="suggested")
    share = Share.objects.get(contributor=world.users["bo"])
    distribution, batch = world.distribution.pk, world.batch.pk
    following = world.budget.periods.get(state="open").pk
    return {
        "": PUBLIC,
        "ana": [
            "organisations/", "organisations/new/", f"organisations/{world.organisation.pk}/",
            "commons/cartolibre/pledge/", f"pledges/{world.pledge.pk}/",
        ],
        "bo": [
            "work/", "work/declare/", f"contributions/{world.contributions[0].pk}/", f"shares/{share.pk}/",
            "work/account/", "tokens/", f"distributions/{distribution}/",
        ],
        "sacha": ["reviews/", "periods/", f"periods/{following}/", f"reviews/{world.contributions[0].pk}/"],
        "claire": [
            "treasury/", "payouts/", "payouts/prepare/", f"payouts/{batch}/", f"payouts/{batch}/file/", "bank/",
            "bank/import/", f"bank/lines/{line.pk}/", "ledger/", f"ledger/suspense/{world.account.pk}/",
            f"periods/{world.period.pk}/", f"distributions/{distribution}/",
        ],
    }  # fmt: skip


@pytest.mark.browser
@pytest.mark.live
@pytest.mark.timeout(600)
def test_every_page_is_sound_in_both_languages_and_widths(
    committed: str, play: Callable[..., Any], processes: Processes, tmp_path: Path
) -> None:
    if not Path(CHROMIUM).exists():
        message = "Chromium is not installed (Debian: apt-get install chromium): no page was looked at"
        if os.environ.get("TRONC_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import sync_playwright

    world = play("settle")
    journey = pages(world)  # read before the browser starts: its loop and Django's connections do not mix
    address = processes.web(workers=1)
    pictures = Path(os.environ.get("TRONC_SCREENSHOTS", tmp_path / "screens"))
    faults: list[str] = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--disable-gpu"])
        for person, paths in journey.items():
            # bypass_csp lets axe be injected; scripts of the page itself there are none (tests/web checks the header)
            context = browser.new_context(bypass_csp=True)
            page = context.new_page()
            if person:
                page.goto(f"{address}/en/accounts/login/")
                page.fill("[name=login]", f"{person}@example.org")
                page.fill("[name=password]", demo.PASSWORD)
                page.click("main button")
            for language in ("fr", "en"):
                for path in paths:
                    answer = page.goto(f"{address}/{language}/{path}")
                    where = f"{person or 'anyone'} {language} /{path}"
                    if answer is None or answer.status != 200:
                        faults.append(f"{where}: {answer.status if answer else 'no answer'}")
                        continue
                    if page.locator("html").get_attribute("lang") != language or page.locator("h1").count() != 1:
                        faults.append(f"{where}: lang or h1")
                    for width in WIDTHS:
                        page.set_viewport_size({"width": width, "height": 900})
                        wide = page.evaluate("document.documentElement.scrollWidth")
                        if wide > width:
                            faults.append(f"{where}: {wide} pixels wide at {width}")
                        name = (
                            f"{person or 'public'}-{path.strip('/').replace('/', '_') or 'home'}-{language}-{width}.png"
                        )
                        page.screenshot(path=pictures / name, full_page=True)
                    found = Axe().run(page).response["violations"]
                    faults += [f"{where}: axe {one['id']} {one['nodes'][0]['html'][:120]}" for one in found]
            context.close()
        browser.close()
    assert faults == []
