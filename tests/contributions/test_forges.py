"""What forges send: signatures, what is read of them, and the trailers of commits. Nothing here is written."""

import os
import time
from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from backend.contributions.forges import FORGES
from backend.contributions.forges.base import Unreadable
from backend.contributions.forges.trailers import MOST, Trailer, trailers
from tests.contributions.forge_events import EVENTS, HOMES, commit, merged, push, sha, signed

EACH = pytest.mark.parametrize("forge", sorted(FORGES))


def secret_of(forge: str) -> str:
    """A fresh secret."""
    return FORGES[forge].new_secret(os.urandom(32))


@EACH
def test_what_a_forge_signed_is_believed_and_nothing_else(forge: str) -> None:
    secret, other, body = secret_of(forge), secret_of(forge), b'{"a": 1}'
    good = dict(signed(forge, body, secret))

    def believed(headers: Mapping[str, str], told: bytes, *secrets: str) -> bool:
        return FORGES[forge].verify(headers, told, secrets, now=datetime.now(UTC))

    assert believed(good, body, secret)
    assert believed(good, body, other, secret)
    assert not believed(good, body, other)
    assert not believed(good, body)
    assert not believed(good, body, "")
    assert not believed(good, body + b" ", secret)
    assert not believed({}, body, secret)
    for name in good:
        if "signature" in name.lower():
            assert not believed(
                good | {name: "sha256=zz"} if forge != "forgejo" else dict.fromkeys(good, "é"), body, secret
            )


def test_gitlabs_plain_token_counts_without_a_signature_alone() -> None:
    secret, body = secret_of("gitlab"), b"{}"
    plain = dict(signed("gitlab", body, secret, plain=True))
    gitlab = FORGES["gitlab"]
    assert gitlab.verify(plain, body, [secret], now=datetime.now(UTC))
    assert not gitlab.verify(plain | {"X-Gitlab-Token": secret[:-1]}, body, [secret], now=datetime.now(UTC))
    assert not gitlab.verify(plain | {"webhook-signature": "v1,AAAA"}, body, [secret], now=datetime.now(UTC))
    for stamp in (time.time() - 301, time.time() + 400):
        assert not gitlab.verify(signed("gitlab", body, secret, at=stamp), body, [secret], now=datetime.now(UTC))


@EACH
def test_a_push_is_read_with_its_oldest_commit_first(forge: str) -> None:
    body = push(
        forge, commit(forge, "one", "First\n", email="Bo@example.org"), commit(forge, "two", "Second", email="no")
    )
    facts = FORGES[forge].read(EVENTS[forge]["push"], body)
    assert (facts.about, facts.repository, facts.forced, facts.left_out) == ("push", HOMES[forge], False, 0)
    assert [(one.sha, one.subject, one.authors) for one in facts.told] == [
        (sha("one"), "First", ("bo@example.org",)), (sha("two"), "Second", ()),
    ]  # fmt: skip
    assert facts.told[0].at == datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    assert facts.told[0].url.startswith(HOMES[forge])


@EACH
def test_what_is_not_of_the_default_branch_says_nothing(forge: str) -> None:
    one = commit(forge, "one", "Contribution: 90", email="bo@example.org")
    read, events = FORGES[forge].read, EVENTS[forge]
    assert read(events["push"], push(forge, one, branch="feature")).about == "nothing"
    assert read(events["push"], push(forge, one, ref="refs/tags/main")).about == "nothing"
    assert read(events["push"], push(forge, one, after="x").replace(sha("x").encode(), b"0" * 40)).about == "nothing"
    assert read(events["test"], push(forge, one)).about == "nothing"
    other = {"target_branch": "old"} if forge == "gitlab" else {"base": {"ref": "old"}}
    assert read(events["merge"], merged(forge, "x", **other)).about == "nothing"
    unmerged = {"action": "close"} if forge == "gitlab" else {"merged": False}
    assert read(events["merge"], merged(forge, "x", **unmerged)).about == "nothing"


@EACH
def test_a_merged_request_stands_for_its_author(forge: str) -> None:
    facts = FORGES[forge].read(EVENTS[forge]["merge"], merged(forge, "Contribution: 1h30"))
    (one,) = facts.told
    assert (facts.about, one.sha, one.subject) == ("merge", sha("merge"), "Faster tiles")
    assert one.at == datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
    unseen = ("4711+bo@users.noreply.github.com", "bo@users.noreply.github.com")
    assert one.authors == (unseen if forge == "github" else ("bo@example.org",))
    assert [trailer.minutes for trailer in trailers(one.text)] == [90]


@EACH
def test_a_branch_that_goes_back_is_forced(forge: str) -> None:
    back = push(forge, before="two", after="one")
    assert FORGES[forge].read(EVENTS[forge]["push"], back).forced
    first = push(forge, before="", after="one")
    assert not FORGES[forge].read(EVENTS[forge]["push"], first).forced
    said = push(forge, commit(forge, "one", "x", email=""), forced=True)
    assert FORGES[forge].read(EVENTS[forge]["push"], said).forced


@pytest.mark.parametrize(("forge", "total"), [("forgejo", "total_commits"), ("gitlab", "total_commits_count")])
def test_commits_that_the_forge_leaves_out_are_counted(forge: str, total: str) -> None:
    body = push(forge, commit(forge, "one", "x", email="a@b.org"), **{total: 26})
    facts = FORGES[forge].read(EVENTS[forge]["push"], body)
    assert (facts.left_out, facts.forced) == (25, False)


@EACH
@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b"", "not_json"), (b"[]", "not_json"), (b"{", "not_json"), (b"\xff\xfe", "not_json"),
        (b"[" * 100_000, "not_json"), (b"payload=%7B%7D", "form_encoded"), (b"9" * 5000, "not_json"),
    ],
)  # fmt: skip
def test_what_cannot_be_read_says_so(forge: str, body: bytes, fault: str) -> None:
    with pytest.raises(Unreadable, match=fault):
        FORGES[forge].read(EVENTS[forge]["push"], body)


@EACH
def test_values_of_other_shapes_are_nothing(forge: str) -> None:
    """Whatever stands where a text, a number or a list was awaited."""
    odd = [
        {},
        {"id": 7},
        {"id": "g" * 40},
        None,
        "x",
        {"id": sha("a"), "message": ["x"], "author": "me", "timestamp": 5},
    ]
    body = push(forge, commit(forge, "z", "x", email=""), commits=odd, total_commits="many", total_commits_count=None)
    (one,) = FORGES[forge].read(EVENTS[forge]["push"], body).told
    assert (one.sha, one.text, one.authors, one.at) == (sha("a"), "", (), None)
    half = push(forge, commit(forge, "z", "\ud800 half", email="", at="9999-99-99"))
    (one,) = FORGES[forge].read(EVENTS[forge]["push"], half).told
    assert (one.subject, one.at) == ("? half", None)
    assert FORGES[forge].read(EVENTS[forge]["push"], b'{"repository": 5, "project": []}').about == "nothing"


@pytest.mark.parametrize(
    ("line", "minutes", "kind"),
    [
        ("Contribution: 1h30", 90, ""), ("contribution: 90", 90, ""), ("CONTRIBUTION :  1:30  ", 90, ""),
        ("Contribution: 1h30 review", 90, "review"), ("Contribution: 2 h", 120, ""), ("Contribution: 45 min", 45, ""),
        ("Contribution: 1 h 30, documentation", 90, "documentation"), ("Contribution: 30 juggling", 30, "?juggling"),
        ("Contribution: 30 expense", 30, "?expense"), ("  Contribution: 30", 30, ""),
        ("Contribution:", 0, ""), ("Contribution: review", 0, ""), ("Contribution: -5", 0, ""),
        ("Contribution: 99999", 0, ""), ("Contribution: 1h75", 0, ""), ("Contribution: 30 \u202e12", 0, ""),
    ],
)  # fmt: skip
def test_a_trailer_says_a_time_and_perhaps_a_kind(line: str, minutes: int, kind: str) -> None:
    odd = kind.startswith("?")
    wanted = Trailer(0, minutes, odd=kind[1:]) if odd else Trailer(0, minutes, kind)
    assert trailers(f"Subject\n\nBody\n\n{line}\nSigned-off-by: x") == [wanted]


@pytest.mark.parametrize(
    "text",
    [
        "", "Contribution", "A Contribution: 90", "Contributions: 90", "Contribution-Of: 90", "> Contribution: 90",
        "<!-- Contribution: 90 -->", "<!--\nContribution: 90\n-->", "```\nContribution: 90\n```",
        "Contribution: 90" + " x" * 100, "Work-Log: 90",
    ],
)  # fmt: skip
def test_what_is_no_trailer_counts_for_nothing(text: str) -> None:
    assert trailers(text) == []


def test_each_trailer_of_a_squashed_text_is_a_part() -> None:
    text = "* One\n\nContribution: 30\n\n* Two\n\nContribution: 1h review\n<!-- x --> y\nContribution: 5"
    assert trailers(text) == [Trailer(0, 30), Trailer(1, 60, "review"), Trailer(2, 5)]
    assert len(trailers("Contribution: 5\n" * 1000)) == MOST


@pytest.mark.parametrize(
    "crafted",
    ["Contribution:" * 80_000, "Contribution: 1" * 70_000, "Contribution: " + "1 " * 500_000, "<!--" * 250_000,
     "Contribution: 1h\x00\n" * 60_000, " \n" * 500_000, "Contribution :" + ":" * 1_000_000, "```\n<!--\n" * 100_000],
)  # fmt: skip
def test_crafted_texts_of_a_megabyte_take_no_time(crafted: str) -> None:
    began = time.process_time()
    trailers(crafted)
    assert time.process_time() - began < 1
