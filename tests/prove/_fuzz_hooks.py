"""Helps Schemathesis past the door (contract.py sets the environment): what is well formed becomes something real.

Where a case is to be refused nothing is touched but a key that is well formed: used twice it would be refused for that.
"""

import json
import os
import re
import uuid
from datetime import date
from typing import Any

import schemathesis

REAL: dict[str, str] = json.loads(os.environ["TRONC_REAL"])


def _day(text: str) -> bool:
    try:
        return bool(re.fullmatch(r"\d{4}-\d\d-\d\d", text) and date.fromisoformat(text))
    except ValueError:
        return False


@schemathesis.hook
def before_call(context: Any, case: Any, kwargs: Any) -> None:
    """A new key for each request; in well-formed requests the ids and the day of the house."""
    for name in [*(case.headers or {})]:
        key = case.headers[name]
        if name.lower() == "idempotency-key" and isinstance(key, str) and re.fullmatch("[!-~]{1,255}", key):
            case.headers[name] = f"fuzz-{uuid.uuid4()}"
    if case.meta is None or not case.meta.generation.mode.is_positive:
        return
    for name in case.path_parameters or {}:
        case.path_parameters[name] = REAL.get(name, case.path_parameters[name])
    for part in (case.body, *(case.body.get("parts") or [])) if isinstance(case.body, dict) else ():
        for name in ("budget", "organisation"):
            if isinstance(part.get(name), str):
                part[name] = REAL[f"{name}_id"]
        if isinstance(part.get("amount"), dict):
            part["amount"] = {"value": abs(part["amount"]["value"]) % 100_000, "currency": "EUR"}
        if _day(part.get("worked_on", "")):
            part["worked_on"] = REAL["day"]
