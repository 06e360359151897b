"""Every page of the demonstration in a real browser: both languages, two widths, axe, weight, nothing from outside.

Each look is in a language drawn by lot; `./run prove grids` looks in both. The pages are found by following links,
person after person, and each route must have been met: a new page cannot be forgotten here.
TRONC_SCREENSHOTS=FOLDER keeps the pictures and the table of weights.
"""

import os
import random
import re
import time
from collections import Counter, deque
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.urls import Resolver404, get_resolver, resolve

from backend.operations import demo, demonstration
from backend.operations.demonstration import cast
from tests.conftest import Processes
from tests.payments.provider import KEY, SECRET, FakeProvider, fake_provider
from tests.rights.matrix import SEED, WHOLE

__all__ = ["fake_provider"]

CHROMIUM = "/usr/bin/chromium"
WIDTHS = (1280, 360)
# axe is the slow part: each language and each width meets it once, not each pair.
AXED = {("fr", 1280), ("en", 360)}
LANGUAGES = ("fr", "en")
READ = (2, 12)  # pages of a route that each person reads for their links alone: more where something is still wanting
HEAVIEST = 100_000  # bytes of a page with all it loads, before compression
PEOPLE = ("", "ana", "bo", "sacha", "claire", "denis", "odile", "yanis")
# Routes whose page differs with the state of its subject are looked at more than once.
MANY = {
    "home": len(PEOPLE), "bank_line": 3, "batch_page": 3, "transfer_page": 2, "budget_page": 2, "distribution_page": 3,
    "period_page": 2, "contribution_page": 2, "commons_page": 3, "pledge_page": 2, "share_page": 3,
}  # fmt: skip
# Routes that no link leads to on an instance in use, each with the test that looks at it.
ELSEWHERE = {
    "account_inactive", "account_confirm_email", "account_email_verification_sent", "account_set_password",
    "account_confirm_login_code", "account_reset_password_done", "account_reset_password_from_key",
    "account_reset_password_from_key_done", "account_reauthenticate",  # tests/web/test_accounts.py
    "setup", "setup_start", "setup_account", "setup_commons", "setup_envelope", "setup_person", "invitation",
    "account_finish", "welcome",  # the first run: below, and tests/web/test_setup.py
    "distribution_trace", "charter_json",  # JSON
    "charter_adopt",  # the last step of charter_edit: tests/web/test_charters.py
    "problems", "problem_page",  # tests/api/test_catalogue.py
    "status_ask", "status_lift",  # while payouts are frozen: tests/web/test_status.py
    "month_ask", "month_unlock",  # while nobody asks, or somebody does: tests/web/test_months.py
    "arbitration_withdraw",  # only a form leads there: tests/web/test_arbitrations.py
    "mfa_authenticate", "mfa_reauthenticate", "mfa_reauthenticate_webauthn", "mfa_view_recovery_codes",
    "mfa_download_recovery_codes", "mfa_list_webauthn", "mfa_edit_webauthn", "mfa_remove_webauthn",
    # while a factor is asked for, or once a passkey is there: tests/web/test_factors.py, test_passkeys.py
    "role_new",  # its address names a pot in its query, which the walk leaves out: tests/web/test_people.py
    "export_file",  # a file: tests/web/test_books.py
    "audit_file",  # a file: tests/web/test_audit.py
    "offers", "offer_answer", "offer_back",  # while an invitation awaits its answer: test_organisation_members.py
    "proposal_page", "proposed_commons", "proposed_edit", "commons_open", "commons_refuse", "commons_show",
    "text_restore",  # while something is proposed, hidden or withdrawn: tests/web/test_people.py, test_commons_life.py
    "acting",  # for who acts for several organisations: tests/web/test_acting.py
    "confirmation", "recording_again",  # from a mail, or a form: test_recordings.py, test_recording_letters.py
    "organisation_merge", "organisation_merge_choice",  # while duplicates are known: test_organisation_members.py
    "helloasso_import", "helloasso_undo",  # once an export was imported: tests/web/test_helloasso.py
    "bank_answer",  # for an answer of the bank to a payment file: tests/banking/test_answers.py
    "csv_layout_forget",  # once a layout was saved: tests/web/test_statement_choices.py
    "session_end", "sessions_end_others",  # while other sessions are open: tests/web/test_sessions.py
    "payee_block",  # from a mail alone: tests/web/test_payees.py
    "paper_file",  # a file: tests/web/test_supporting.py
    "share_document",  # while a share of the reader is owed: test_supporting.py
    "pledge_money_file", "commons_money_file",  # files: tests/exports/test_tracing.py
    "gift_page", "gift_stop", "gift_forget",  # behind an address that nobody can guess: tests/web/test_giving.py
    "distribution_object", "distribution_objection_lift", "distribution_objection_decide",
    # forms alone lead there, on the page of a distribution: tests/web/test_distribution_objections.py
    "batch_by_hand",  # once a batch is approved: tests/web/test_treasury.py
    "payout_refused", "batch_outcome",  # while a batch is with the bank: tests/web/test_attempts.py
    "badge",  # a picture: tests/web/test_support.py
    "surplus_page", "surplus_refund", "refund_page", "payment_refund", "deposit_new", "deposit_page", "paper_return",
    # while something was paid above, given back, or handed over on paper: tests/web/test_receipts.py
    "round_new", "round_page", "round_close", "round_answer",  # while a round is open: tests/web/test_rounds.py
    "correction_new", "adjustment_new", "adjustment_page",  # once work was shared out: tests/web/test_corrections.py
    "volunteering_file",  # a file: tests/web/test_volunteering.py
    "support_file",  # a file: tests/web/test_support.py
    "document_file", "documents_file",  # files: tests/web/test_documents.py
    "pledge_pay", "pledge_payment", "pledge_subscription", "gift_pay", "gift_payment", "gift_subscription", "gift_back",
    # while something is to pay, on its way, or stopped: tests/web/test_paying.py
    "operation_page", "provider_test",  # while an answer is lost; a form: tests/web/test_provider.py
    "repository_page", "repository_secret", "repository_revoke",  # once one is there: tests/web/test_repositories.py
    "commons_propose_from",  # a form: tests/web/test_funding.py
    "work_import_page", "work_import_undo",  # once there is one: tests/web/test_work_imports.py
    "commit_address_remove",  # a form: tests/web/test_repositories.py
    "draft_delete", "draft_declare",  # while there is a draft: tests/web/test_talk.py
    "question_new", "question_answer", "objection_new", "objection_lift", "objection_decide", "reviews_approve",
    "reviews_shortcuts",  # forms alone lead there: tests/web/test_talk.py, test_reviews.py
    "merge_withdraw", "merge_confirm",  # a form, and the link of a mail: tests/web/test_merges.py
    "notices_accept", "personal_export", "erasure_keep",  # forms alone lead there: tests/web/test_privacy.py
}  # fmt: skip

# The pages of passkeys and of review alone have scripts: files of ours, and data that is not run.
SCRIPTED = {"mfa_login_webauthn", "mfa_add_webauthn", "reviews", "review_one"}
OWN_SCRIPT = re.compile(r'<script (?:src="/static/[^"]+" defer|[^>]*type="application/json")>[^<]*</script>')


@cache
def routes() -> frozenset[str]:
    """The names of all the pages in a language."""
    pages = next(one for one in get_resolver().url_patterns if str(one.pattern).strip("/") in {"fr", "en"})
    found: set[str] = set()
    waiting = [*pages.url_patterns]
    while waiting:
        one = waiting.pop()
        if hasattr(one, "url_patterns"):
            waiting += one.url_patterns
        elif one.name:
            found.add(one.name)
    return frozenset(found)


def route_of(path: str) -> str:
    """The name of the page at an address, empty for none."""
    try:
        return resolve(path).url_name or ""
    except Resolver404:
        return ""


class Look:
    """One person's walk over the pages in a browser, and what was found wrong."""

    def __init__(self, browser: Any, address: str, pictures: Path, met: "Counter[str]") -> None:
        """Keep the browser's parts; `met` counts the routes over all people."""
        from axe_playwright_python.sync_playwright import Axe

        self.axe, self.address, self.pictures, self.met = Axe(), address, pictures, met
        # bypass_csp lets axe be injected; the pages have no script of their own, which is checked below
        self.page = browser.new_context(bypass_csp=True).new_page()
        self.page.on("request", self._asked)
        self.page.on("response", self._answered)
        self.faults: list[str] = []
        self.weights: dict[str, int] = {}
        self.known, self.read = {"/en/"}, Counter[str]()
        self.waiting, self.later = deque(["/en/"]), deque[str]()  # to be looked at; to be read for links at most

    def _asked(self, request: Any) -> None:
        if not request.url.startswith(self.address):
            self.faults.append(f"a request to {request.url}")

    def _answered(self, response: Any) -> None:
        policy = response.headers.get("content-security-policy", "")
        own = "script-src 'self'" in policy and "style-src 'self'" in policy
        if response.status != 302 and not own and "default-src 'none'" not in policy:
            self.faults.append(f"no policy on {response.url}")

    def sign_in(self, person: str) -> None:
        """Through the real page."""
        self.page.goto(f"{self.address}/en/accounts/login/")
        self.page.fill("[name=login]", cast.address(person))
        self.page.fill("[name=password]", cast.PASSWORD)
        self.page.click("main button")
        if "/2fa/authenticate/" in self.page.url:
            self.page.fill("[name=code]", demo.code_for(time.time()))
            self.page.click("main form:has([name=code]) button")

    def wanting(self, name: str) -> bool:
        """Whether a route deserves another look."""
        return name not in ELSEWHERE and self.met[name] < MANY.get(name, 1)

    def walk(self, person: str, reads: int) -> None:
        """Follow the links from the home page; each route is looked at as often as it deserves, else read for links.

        Reading goes on while a route is wanting: so many pages of each route, those of the round before included.
        """
        left: list[str] = []
        while self.waiting or self.later:
            if self.waiting:
                path = self.waiting.popleft()
                name = route_of(path)
                if not self.wanting(name):
                    if name not in ELSEWHERE:
                        self.later.append(path)
                    continue
                links = self.look(person, path)
            elif any(map(self.wanting, routes())):
                path = self.later.popleft()
                name = route_of(path)
                if self.read[name] >= reads:
                    left.append(path)
                    continue
                self.read[name] += 1
                html = self.page.request.get(f"{self.address}{path}").text()
                links = self.links(person, re.findall(r'<a [^>]*href="(/en/[^"?#]*)', html))
            else:
                return
            self.waiting += [link for link in links if link not in self.known and route_of(link)]
            self.known |= set(links)
        self.later.extend(left)

    def links(self, person: str, paths: list[str] | None = None) -> list[str]:
        """The pages in English that this one leads to; only the last person signs out."""
        if paths is None:
            found = self.page.eval_on_selector_all("a[href]", "all => all.map(a => a.href)")
            own = re.compile(rf"{re.escape(self.address)}/(?:fr|en)/")
            paths = [f"/en/{urlsplit(link).path[4:]}" for link in found if own.match(link)]
        return [path for path in dict.fromkeys(paths) if "/logout/" not in path or person == PEOPLE[-1]]

    def look(self, person: str, path: str) -> list[str]:
        """Look at one page in both widths, in one language or, where all is asked, in both; gives what it links to."""
        for language in LANGUAGES if WHOLE else (self.language(route_of(path)),):
            answer = self.page.goto(f"{self.address}/{language}{path[3:]}")
            where = f"{person or 'anyone'} {language} {path[3:]}"
            if answer is not None and urlsplit(self.page.url).path != f"/{language}{path[3:]}":
                return []  # sent elsewhere, to sign in first
            if answer is None or answer.status != 200:
                self.faults.append(f"{where}: {answer.status if answer else 'no answer'}")
                continue
            self._weigh(where, answer.text())
            if self.page.locator("html").get_attribute("lang") != language or self.page.locator("h1").count() != 1:
                self.faults.append(f"{where}: lang or h1")
            for width in WIDTHS:
                self._fit(where, f"{person or 'public'}-{route_of(path)}-{self.met[route_of(path)]}-{language}", width)
                if (language, width) in AXED:
                    for one in self.axe.run(self.page).response["violations"]:
                        self.faults.append(f"{where} {width}: axe {one['id']} {one['nodes'][0]['html'][:120]}")
        self.met[route_of(path)] += 1
        return self.links(person)

    def language(self, route: str) -> str:
        """Drawn by lot for the first page of a route, the other one for the next."""
        first = random.Random(f"{SEED} {route}").randrange(2)  # noqa: S311  the dice must be the same again
        return LANGUAGES[(first + self.met[route]) % 2]

    def _weigh(self, where: str, html: str) -> None:
        loaded = "performance.getEntries().reduce((sum, one) => sum + (one.decodedBodySize || 0), 0)"
        self.weights[where] = size = int(self.page.evaluate(loaded))
        if not 0 < size <= HEAVIEST:
            self.faults.append(f"{where}: {size} bytes")
        if route_of(f"/en{where.rsplit(maxsplit=1)[-1]}") in SCRIPTED:
            html = OWN_SCRIPT.sub("", html)
        if "<script" in html or " style=" in html or "<style" in html or " onclick=" in html:
            self.faults.append(f"{where}: an inline script or style")

    def _fit(self, where: str, name: str, width: int) -> None:
        self.page.set_viewport_size({"width": width, "height": 900})
        wide = self.page.evaluate("document.documentElement.scrollWidth")
        if wide > width:
            self.faults.append(f"{where}: {wide} pixels wide at {width}")
        if os.environ.get("TRONC_SCREENSHOTS"):
            self.page.screenshot(path=self.pictures / f"{name}-{width}.png", full_page=True)


def chromium() -> str:
    """The browser; without it the test fails where it is required, and is skipped with its reason elsewhere."""
    if not Path(CHROMIUM).exists():
        message = "Chromium is not installed (Debian: apt-get install chromium): no page was looked at"
        if os.environ.get("TRONC_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    return CHROMIUM


@pytest.mark.browser
@pytest.mark.live
@pytest.mark.timeout(1800 if WHOLE else 900)
def test_every_page_is_sound_in_both_languages_and_widths(
    committed: str, processes: Processes, tmp_path: Path, fake_provider: FakeProvider
) -> None:
    program = chromium()
    from django.utils import timezone
    from playwright.sync_api import sync_playwright

    demonstration.load(timezone.now())
    processes.environment |= {
        "TRONC_DEMO": "1",
        "TRONC_PROVIDER": "fake",
        "TRONC_FAKE_PROVIDER": fake_provider.address,
        "TRONC_STRIPE_KEY": KEY,
        "TRONC_STRIPE_WEBHOOK_SECRETS": SECRET,
    }
    address = processes.web(workers=1)
    pictures = Path(os.environ.get("TRONC_SCREENSHOTS", tmp_path))
    pictures.mkdir(parents=True, exist_ok=True)
    met: Counter[str] = Counter()
    faults: list[str] = []
    weights: dict[str, int] = {}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--disable-gpu"])
        looks = {person: Look(browser, address, pictures, met) for person in PEOPLE}
        for reads in READ:
            for person, look in looks.items():
                if person and reads == READ[0]:
                    look.sign_in(person)
                look.walk(person, reads)
        for look in looks.values():
            faults += look.faults
            weights |= look.weights
        browser.close()
    table = sorted(weights.items(), key=lambda row: -row[1])
    (pictures / "weights.txt").write_text("".join(f"{size:>7} {where}\n" for where, size in table))
    assert faults == [], f"seed {SEED}"
    assert sorted(routes() - set(met) - ELSEWHERE) == [], "pages that no link led to"


def test_the_list_of_other_pages_is_true() -> None:
    assert sorted(ELSEWHERE - routes()) == []
