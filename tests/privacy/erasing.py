"""What the tests of erasures share: where a word is kept, what the books say, an erasure from request to end."""

import hashlib
from datetime import datetime, timedelta
from typing import Any

from django.db import connection

from backend.exports.services import FORMATS, export
from backend.exports.verifiable import verifiable_journal
from backend.identity.models import User
from backend.ledger.services import last_seal
from backend.operations.trial import canonical
from backend.privacy.erasure import SECOND_THOUGHTS, ask_erasure, erase_due
from backend.privacy.models import Erasure

# The supporting documents of the accounts, kept ten years for treasurers and auditors: what the bank wrote itself.
ARCHIVE = {"banking_bankline"}


def tables_with(word: str) -> set[str]:
    """Every table of the database in which a word stands, whatever its case, in any column.

    What is sealed is left out: in so many random letters a short word stands by chance.
    """
    found = set()
    told = "regexp_replace(one::text, '(own|[0-9]+):[A-Za-z0-9+/]{40,}={0,2}', '', 'g')"
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY tablename")
        for (table,) in cursor.fetchall():
            cursor.execute(f'SELECT 1 FROM "{table}" one WHERE strpos(lower({told}), lower(%s)) > 0 LIMIT 1', [word])
            if cursor.fetchone():
                found.add(table)
    return found


def books(actor: User, now: datetime) -> dict[str, str]:
    """SHA-256 of everything that is published or exported of the books, and of the ledger's tables."""
    made = {"balance": canonical(), "head": repr(last_seal()).encode()}
    made["verifiable"] = b"".join(verifiable_journal(actor=actor, now=now))
    for name, form in FORMATS.items():
        year = now.year if form.lawful else None
        made[name] = b"".join(export(actor=actor, name=name, year=year, now=now)[1])
    with connection.cursor() as cursor:
        for table in ("ledger_journalentry", "ledger_posting", "ledger_account", "ledger_seal", "ledger_block"):
            cursor.execute(f"SELECT md5(string_agg(one::text, chr(10) ORDER BY one::text)) FROM {table} one")
            made[table] = str(cursor.fetchone()[0]).encode()
    return {name: hashlib.sha256(data).hexdigest() for name, data in made.items()}


def erase(user: User, now: datetime) -> Erasure:
    """Ask for the erasure of a person and let the seven days pass; returns the request as it stands then."""
    erasure = ask_erasure(user=user, typed=user.email, now=now)
    erase_due(now + SECOND_THOUGHTS - timedelta(seconds=1))
    erasure.refresh_from_db()
    assert erasure.done_at is None
    erase_due(now + SECOND_THOUGHTS)
    erasure.refresh_from_db()
    return erasure


def settled(world: Any) -> Any:
    """The person who was paid, once the books are sealed."""
    from backend.operations import demo

    demo.sweep(world.now)
    return world.users["bo"]
