"""Log lines are whole JSON objects, carry their request's id, and hold no secret."""

import io
import json
import logging
import logging.config
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from backend.core import logs

IBAN = "FR7630006000011234567890189"
SECRETS = [
    f"paid on {IBAN}",
    "paid on FR76 3000 6000 0112 3456 7890 189 by hand",
    "paid on de89370400440532013000",
    "Authorization: Bearer tronc_live_0123456789abcdefghij",
    "token tronc_live_0123456789abcdefghij is unknown",
    "Not Found: /fr/accounts/password/reset/key/1a-0123456789abcdefghij/",
    "GET /fr/invitations/0123456789abcdefghij/",
    "Not Found: /en/first//0123456789abcdefghij/",
    "Not Found: /en/invitations//0123456789abcdefghij",
    "Not Found: /en/First/./0123456789abcdefghij",
    "GET /fr/search/?q=Martin&key=0123456789abcdefghij",
    "GET /fr/confirm/0123456789abcdefghij/",
    "Not Found: /fr/gifts/0123456789abcdefghij/payment/",
    "Invalid API Key provided: sk_live_0123456789abcdefghij",
    "rk_test_0123456789abcdefghij and whsec_0123456789abcdefghij",
    "DETAIL:  Key (email)=(0123456789abcdef@example.net) already exists.",
    'Key (user_id, "text")=(usr_1, 0123456789abcdef (a)) is not present in table "x".',
    "cannot connect to redis://tronc:0123456789abcdefghij@127.0.0.1:6379/0",
]


@pytest.fixture
def lines() -> Iterator[Any]:
    """A logger configured as in production, and what it wrote."""
    before = structlog.get_config()
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    facts = logs.config("json")["formatters"]["line"]
    facts.pop("()")
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(**facts))
    logger = logging.getLogger("tests.lines")
    logger.addHandler(handler)
    logger.propagate = False
    yield lambda: [json.loads(line) for line in written.getvalue().splitlines()]
    logger.removeHandler(handler)
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()


@pytest.mark.parametrize("text", SECRETS)
def test_no_secret_reaches_a_line(lines: Any, text: str) -> None:
    logging.getLogger("tests.lines").warning("%s", text)
    structlog.get_logger("tests.lines").warning("again", detail=text)
    try:
        raise ValueError(text)
    except ValueError:
        logging.getLogger("tests.lines").exception("failed")
    written = lines()
    assert len(written) == 3
    whole = json.dumps([{**one, "timestamp": ""} for one in written]).lower()  # its microseconds are no secret
    assert "0123456789abcdef" not in whole
    assert "3456" not in whole
    assert "440532" not in whole
    assert logs.HIDDEN in whole


def test_named_fields_are_hidden_whatever_they_hold(lines: Any) -> None:
    structlog.get_logger("tests.lines").info("mail", body="Dear Ada", token="x", count=3)
    (line,) = lines()
    assert (line["body"], line["token"], line["count"]) == (logs.HIDDEN, logs.HIDDEN, 3)


def test_nested_values_are_hidden_too(lines: Any) -> None:
    facts = {"who": {"iban": "x", "said": [f"to {IBAN}"], "count": 3}, "pair": ("a", IBAN)}
    structlog.get_logger("tests.lines").info("mail", facts=facts, failure=ValueError(IBAN))
    (line,) = lines()
    assert line["facts"] == {
        "who": {"iban": logs.HIDDEN, "said": [f"to {logs.HIDDEN}"], "count": 3},
        "pair": ["a", logs.HIDDEN],
    }
    assert line["failure"] == logs.HIDDEN


def test_ids_and_ordinary_words_stay_readable(lines: Any) -> None:
    text = "pye_01M809T814FGFZ09BH1AWK3Z5JCFV0TYEPXE is left due after 12 attempts at 10.30 (3 of 7)"
    logging.getLogger("tests.lines").info(text)
    assert lines()[0]["event"] == text


def test_a_line_is_one_object_with_time_level_and_request(lines: Any) -> None:
    structlog.contextvars.bind_contextvars(request_id="req_1")
    try:
        raise ValueError("two\nlines")
    except ValueError:
        logging.getLogger("tests.lines").exception("failed\nINJECTED")
    (line,) = lines()
    assert (line["request_id"], line["level"], line["logger"]) == ("req_1", "error", "tests.lines")
    assert line["timestamp"].endswith("Z")
    assert "ValueError: two\nlines" in line["exception"]


def test_another_format_is_refused() -> None:
    with pytest.raises(ValueError, match="use json or text"):
        logs.config("xml")
    assert logs.chosen_form({}) == "json"
    assert logs.chosen_form({"TRONC_LOOPBACK_HTTP": "1"}) == "text"
    assert logs.chosen_form({"TRONC_LOOPBACK_HTTP": "1", "TRONC_LOG_FORMAT": "json"}) == "json"


def test_the_text_form_is_for_people() -> None:
    facts = logs.config("text")["formatters"]["line"]
    facts.pop("()")
    record = logging.LogRecord("backend.core", logging.WARNING, __file__, 1, "nudge %s not sent", ("x",), None)
    line = structlog.stdlib.ProcessorFormatter(**facts).format(record)
    assert "nudge x not sent" in line
    assert "warning" in line
    assert "\x1b" not in line
