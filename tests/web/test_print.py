"""Paper shows what a screen folds: the explanation of a number is on the printed page."""

from pathlib import Path

import pytest

from tests.web.test_screens import chromium

SHEET = Path(__file__).resolve().parents[2] / "backend" / "web" / "static" / "tronc.css"
PAGE = """<main><details><summary>What each person reads</summary><p id="in">You receive 12.00.</p>
<details><summary>More</summary><table id="deep"><tr><td>1</td></tr></table></details></details>
<details class="noprint"><summary>Object</summary><p id="out">A form</p></details></main>"""


@pytest.mark.browser
def test_what_is_folded_on_screen_is_unfolded_on_paper() -> None:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--disable-gpu"])
        page = browser.new_page()
        page.set_content(f"<style>{SHEET.read_text()}</style>{PAGE}")
        shown = {}
        for media in ("screen", "print"):
            page.emulate_media(media=media)
            shown[media] = {
                name: page.eval_on_selector(
                    f"#{name}", "one => one.checkVisibility({contentVisibilityAuto: true}) && one.offsetHeight > 0"
                )
                for name in ("in", "deep", "out")
            }
        browser.close()
    assert shown == {
        "screen": {"in": False, "deep": False, "out": False},
        "print": {"in": True, "deep": True, "out": False},
    }
