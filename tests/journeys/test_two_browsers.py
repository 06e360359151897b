"""Two people in two browsers: what one takes away, the other cannot use any more, whatever page is still open."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from backend.operations import demo
from backend.payouts.models import PayoutBatch
from tests.conftest import Processes
from tests.web.test_screens import chromium


def enter(browser: Any, address: str, key: str) -> Any:
    """A page of a browser of one's own, signed in with the second factor, scripts off."""
    page = browser.new_context(java_script_enabled=False).new_page()
    page.set_default_timeout(15_000)
    page.goto(f"{address}/fr/accounts/login/")
    page.fill("[name=login]", f"{key}@example.org")
    page.fill("[name=password]", demo.PASSWORD)
    page.click("main form button")
    page.fill("[name=code]", demo.code_for(time.time()))
    page.click("main form:has([name=code]) button")
    return page


@pytest.mark.browser
@pytest.mark.live
def test_a_role_removed_while_the_page_is_open_refuses_the_next_click(
    play: Callable[..., Any], committed: str, processes: Processes
) -> None:
    from playwright.sync_api import sync_playwright

    program = chromium()
    world = play("document")
    address = processes.web(workers=1)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--disable-gpu"])
        claire, denis = enter(browser, address, "claire"), enter(browser, address, "denis")
        claire.goto(f"{address}/fr/payouts/prepare/")
        button = claire.locator("main form:has([name=csrfmiddlewaretoken]) button").last
        assert button.is_visible()
        denis.goto(f"{address}/fr/people/")
        denis.click(f"a[href*='/people/{world.users['claire'].pk}/treasurer/']")
        denis.fill("[name=reason]", "Fin de mandat.")
        denis.click("main form:has([name=reason]) button")
        assert "Claire Moreau" not in denis.locator("main").inner_text()
        button.click()
        assert "Vos rôles ne le permettent pas. Rien n’a été modifié" in claire.locator("main").inner_text()
        browser.close()
    assert not PayoutBatch.objects.exists()
