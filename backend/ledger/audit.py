"""Looks at the whole ledger, set by set: what the self-check is made of. Reads only, changes nothing."""

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction

from backend.events.models import Event
from backend.ledger import merkle, signing
from backend.ledger.models import Block, SealKey, Subtree

FEW = 20  # findings of one kind that are named; one is enough to freeze


@dataclass(frozen=True)
class Finding:
    """One thing that is not as it must be. Amounts in minor units (counts where there is no currency)."""

    code: str
    thing: str
    currency: str = ""
    expected: int = 0
    found: int = 0


@dataclass(frozen=True)
class Extent:
    """How much there is to look at."""

    entries: int
    postings: int


def extent() -> Extent:
    """How many entries and postings the ledger holds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT (SELECT count(*) FROM ledger_journalentry), (SELECT count(*) FROM ledger_posting)")
        return Extent(*cursor.fetchone())


def moved() -> dict[tuple[str, str, str, str], int]:
    """(purse kind, owner, currency, entry kind) → sum of the postings on the purse's normal side, minor units."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT account.kind, account.owner, account.currency, sums.kind, sums.amount * account.normal_side
              FROM (SELECT posting.account_id, entry.kind, sum(posting.amount)::bigint AS amount
                      FROM ledger_posting posting JOIN ledger_journalentry entry ON entry.id = posting.entry_id
                     GROUP BY posting.account_id, entry.kind) sums
              JOIN ledger_account account ON account.id = sums.account_id
            """
        )
        return {(kind, owner, money, entry): int(amount) for kind, owner, money, entry, amount in cursor.fetchall()}


def unsealed_since(seconds: int) -> list[str]:
    """Entries booked more than some seconds ago, by the database's clock, that no seal carries."""
    return [
        row[0]
        for row in _rows(
            """
            SELECT entry.id FROM ledger_journalentry entry
             WHERE entry.booked_at < clock_timestamp() - make_interval(secs => %s)
               AND NOT EXISTS (SELECT 1 FROM ledger_seal seal WHERE seal.entry_id = entry.id)
             ORDER BY entry.id
            """,
            [seconds],
        )
    ]


def everything() -> list[Finding]:
    """All that this module can find, I2 and I3."""
    with transaction.atomic():
        sets_against_sets()
        return _everything()


def sets_against_sets() -> None:
    """For the rest of the transaction: with statistics that lag behind, nested loops would take hours over millions."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL work_mem = '256MB'")
        cursor.execute("SET LOCAL enable_nestloop = off")


def _everything() -> list[Finding]:
    looks = (
        unbalanced, wrong_dates, wrong_balances, wrong_holds, wrong_closings, altered_entries, broken_seals, broken_log,
    )  # fmt: skip
    return [found for look in looks for found in look()]


def unbalanced() -> list[Finding]:
    """I2: entries that do not sum to zero in a currency, or have not exactly their lines."""
    found = [
        Finding("I2.entry_unbalanced", entry, money, 0, int(amount))
        for entry, money, amount in _rows(
            """
            SELECT entry_id, currency, sum(amount) FROM ledger_posting
             GROUP BY entry_id, currency HAVING sum(amount) <> 0 ORDER BY entry_id LIMIT %s
            """,
            [FEW],
        )
    ]
    found += [
        Finding("I2.entry_lines", entry, "", int(lines), int(there))
        for entry, lines, there in _rows(
            """
            SELECT entry.id, entry.lines, coalesce(held.lines, 0)
              FROM ledger_journalentry entry
              LEFT JOIN (SELECT entry_id, count(*) AS lines FROM ledger_posting GROUP BY entry_id) held
                ON held.entry_id = entry.id
             WHERE entry.lines <> coalesce(held.lines, 0) ORDER BY entry.id LIMIT %s
            """,
            [FEW],
        )
    ]
    return found


def wrong_dates() -> list[Finding]:
    """I2: lines whose dates are not those of their entry: past balances are read from the lines."""
    rows = _rows(
        """
        SELECT DISTINCT entry.id
          FROM ledger_posting posting JOIN ledger_journalentry entry ON entry.id = posting.entry_id
         WHERE posting.happened_on <> entry.happened_on OR posting.booked_at <> entry.booked_at ORDER BY 1 LIMIT %s
        """,
        [FEW],
    )
    return [Finding("I2.dates", entry) for (entry,) in rows]


def wrong_balances() -> list[Finding]:
    """I2: stored balances that are not the sum of the postings, and guarded purses on their wrong side."""
    rows = _rows(
        """
        SELECT account.kind || ' ' || account.owner, account.currency, coalesce(sums.amount, 0), held.balance,
               account.guarded AND coalesce(sums.amount, 0) * account.normal_side < 0
          FROM ledger_account account
          LEFT JOIN ledger_balance held ON held.account_id = account.id
          LEFT JOIN (SELECT account_id, sum(amount) AS amount FROM ledger_posting GROUP BY account_id) sums
            ON sums.account_id = account.id
         WHERE held.balance IS DISTINCT FROM coalesce(sums.amount, 0)
            OR (held.currency, held.normal_side, held.guarded)
               IS DISTINCT FROM (account.currency, account.normal_side, account.guarded)
            OR (account.guarded AND coalesce(sums.amount, 0) * account.normal_side < 0)
         ORDER BY account.id LIMIT %s
        """,
        [FEW],
    )
    found = []
    for purse, money, summed, stored, crossed in rows:
        if stored != summed:
            found.append(Finding("I2.balance", purse, money, int(summed), int(stored or 0)))
        if stored == summed and not crossed:
            found.append(Finding("I2.nature", purse))
        if crossed:
            found.append(Finding("I2.wrong_side", purse, money, 0, int(summed)))
    return found


def wrong_holds() -> list[Finding]:
    """I2: purses whose part set aside is not the sum of the holds in force."""
    return [
        Finding("I2.held", purse, money, int(summed), int(stored))
        for purse, money, summed, stored in _rows(
            """
            SELECT account.kind || ' ' || account.owner, account.currency, coalesce(sums.amount, 0), stored.held
              FROM ledger_balance stored JOIN ledger_account account ON account.id = stored.account_id
              LEFT JOIN (SELECT held.account_id, sum(held.amount) AS amount
                           FROM ledger_hold held LEFT JOIN ledger_holdend ended ON ended.hold_id = held.id
                          WHERE ended.hold_id IS NULL GROUP BY held.account_id) sums
                ON sums.account_id = stored.account_id
             WHERE stored.held <> coalesce(sums.amount, 0) ORDER BY account.id LIMIT %s
            """,
            [FEW],
        )
    ]


def wrong_closings() -> list[Finding]:
    """I2: what locked months kept that is not the sum of the lines up to their end, or of those booked by then."""
    return [
        Finding("I2.closing", f"{purse} {month:%m/%Y}", money, int(summed or 0), int(kept))
        for purse, month, money, summed, kept in _rows(
            """
            SELECT account.kind || ' ' || account.owner, wrong.first_day, account.currency, wrong.summed, wrong.kept
              FROM (
                SELECT sums.account_id, closing.first_day, coalesce(kept.balance, 0) AS kept, sums.amount AS summed
                  FROM (SELECT first_day, ends_before FROM ledger_closing
                         WHERE locked_at IS NOT NULL AND unlocked_at IS NULL ORDER BY ends_before DESC LIMIT 1) closing
                 CROSS JOIN LATERAL (SELECT account_id, sum(amount) AS amount FROM ledger_posting
                                      WHERE happened_on < closing.ends_before GROUP BY account_id) sums
                  LEFT JOIN (SELECT DISTINCT ON (past.account_id) past.account_id, past.balance
                               FROM ledger_closingbalance past JOIN ledger_closing live ON live.id = past.closing_id
                              WHERE live.unlocked_at IS NULL ORDER BY past.account_id, past.ends_before DESC) kept
                    ON kept.account_id = sums.account_id
                UNION ALL
                SELECT kept.account_id, closing.first_day, kept.booked,
                       (SELECT sum(amount) FROM ledger_posting posting
                         WHERE posting.account_id = kept.account_id AND posting.id <= closing.last_posting)
                  FROM ledger_closingbalance kept JOIN ledger_closing closing ON closing.id = kept.closing_id
                 WHERE closing.unlocked_at IS NULL AND closing.ends_before = (
                       SELECT max(ends_before) FROM ledger_closing WHERE locked_at IS NOT NULL AND unlocked_at IS NULL)
                UNION ALL
                SELECT later.account_id, closing.first_day, later.balance,
                       earlier.balance + coalesce((SELECT sum(amount) FROM ledger_posting posting
                         WHERE posting.account_id = later.account_id AND posting.happened_on >= earlier.ends_before
                           AND posting.happened_on < later.ends_before), 0)
                  FROM (SELECT kept.*,
                               lag(kept.id) OVER (PARTITION BY kept.account_id ORDER BY kept.ends_before) AS before
                          FROM ledger_closingbalance kept JOIN ledger_closing live ON live.id = kept.closing_id
                         WHERE live.unlocked_at IS NULL) later
                  JOIN ledger_closing closing ON closing.id = later.closing_id
                  JOIN ledger_closingbalance earlier ON earlier.id = later.before
            ) wrong JOIN ledger_account account ON account.id = wrong.account_id
             WHERE wrong.kept <> coalesce(wrong.summed, 0) ORDER BY account.id, wrong.first_day LIMIT %s
            """,
            [FEW],
        )
    ]


def altered_entries() -> list[Finding]:
    """I3: entries not sealed yet that no longer give their fingerprint, made from kind, reference, day and lines.

    Those that are sealed are compared with their leaf, which says more.
    """
    rows = _rows(
        """
        SELECT entry.id
          FROM ledger_journalentry entry
          LEFT JOIN ledger_seal seal ON seal.entry_id = entry.id
          CROSS JOIN LATERAL (
               SELECT string_agg('[' || to_json(account_id::text) || ',' || amount || ','
                                     || to_json(chart::text) || ']',
                                 ',' ORDER BY line) AS lines
                 FROM ledger_posting WHERE entry_id = entry.id) held
         WHERE seal.entry_id IS NULL AND entry.fingerprint <> encode(sha256(convert_to(
                   '[' || to_json(entry.kind::text) || ',' || to_json(entry.reference::text) || ','
                   || to_json(to_char(entry.happened_on, 'YYYY-MM-DD')) || ',[' || held.lines || ']]', 'UTF8')), 'hex')
         ORDER BY entry.id LIMIT %s
        """,
        [FEW],
    )
    return [Finding("I3.fingerprint", entry) for (entry,) in rows]


def broken_seals() -> list[Finding]:
    """I3: positions or journal numbers that are missing, entries that are not those sealed.

    The leaf is computed here for all entries at once, not by the function that sealing uses: both must agree.
    """
    found = []
    ((count, highest, lowest),) = _rows(
        "SELECT count(*), coalesce(max(position), 0), coalesce(min(position), 1) FROM ledger_seal", []
    )
    if count != highest or lowest != 1:
        found.append(Finding("I3.gap", "", "", int(highest), int(count)))
    found += [
        Finding("I3.number", f"{journal} {year}", "", int(highest), int(count))
        for year, journal, highest, count in _rows(
            """
            SELECT coalesce(seals.year, numbering.year), coalesce(seals.journal, numbering.journal),
                   coalesce(numbering.last, 0), coalesce(seals.right_ones, 0)
              FROM (SELECT year, journal, count(*) AS numbers, count(*) FILTER (WHERE number = place) AS right_ones
                      FROM (SELECT year, journal, number,
                                   row_number() OVER (PARTITION BY year, journal ORDER BY position) AS place
                              FROM ledger_seal) placed
                     GROUP BY year, journal) seals
              FULL JOIN ledger_numbering numbering ON numbering.year = seals.year AND numbering.journal = seals.journal
             WHERE (seals.numbers, seals.right_ones) IS DISTINCT FROM (numbering.last::bigint, seals.numbers) LIMIT %s
            """,
            [FEW],
        )
    ]
    found += [
        Finding("I3.leaf", entry, "", int(position), int(position))
        for position, entry in _rows(
            """
            WITH wrong AS MATERIALIZED (
                SELECT seal.position, seal.entry_id
                  FROM ledger_seal seal
                  LEFT JOIN ledger_journalentry entry ON entry.id = seal.entry_id
                  LEFT JOIN (SELECT entry_id, string_agg(concat_ws(':', account_id, currency, amount, chart), ','
                                                         ORDER BY line) AS lines
                               FROM ledger_posting GROUP BY entry_id) held ON held.entry_id = seal.entry_id
                 WHERE seal.leaf IS DISTINCT FROM sha256('\\x00'::bytea || convert_to(concat_ws('|',
                           'tronc-entry-1', entry.id, entry.kind, to_char(entry.happened_on, 'YYYY-MM-DD'),
                           to_char(entry.booked_at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'),
                           entry.reference, coalesce(entry.reverses_id, '-'), held.lines), 'UTF8'))
            )
            SELECT position, entry_id FROM wrong ORDER BY position LIMIT %s
            """,
            [FEW],
        )
    ]
    return found


def broken_log() -> list[Finding]:
    """I3: heads and stored subtrees that are not those of the leaves, notes not signed, blocks that are missing.

    Every leaf is hashed again, once, in order; the root is compared at the size of every block.
    """
    signers = {key.pk: key for key in SealKey.objects.select_related("endorsed_by")}
    found = [
        Finding("I3.key", key.pk)
        for key in signers.values()
        if key.pk != signing.key_id(key.name, bytes(key.public))
        or (key.endorsement and not signing.endorsement_holds(key))
    ]
    told: dict[str, set[tuple[int, str]]] = defaultdict(set)  # what was signed, by the events of that moment
    for event in Event.objects.filter(kind="log.head_signed"):
        told[event.subject].add((event.data["size"], event.data["root"]))
    stored: dict[int, list[bytes]] = {level + 8: [] for level in merkle.STORED[:-1]}
    tail: list[bytes] = []  # the leaves beyond the last full tile

    def again(level: int, first: int, count: int) -> list[bytes]:
        return stored[level][first : first + count] if level else tail

    size = 0
    for number, block in enumerate(Block.objects.order_by("number").iterator(), start=1):
        leaves = _leaves(size, block.size)
        if block.number != number or len(leaves) != block.size - size or not leaves:
            found.append(Finding("I3.block", "", "", number, block.number))
            break
        subtrees, root = merkle.new_subtrees(size, leaves, again)
        for one in subtrees:
            stored[one.level].append(one.hash)
        size = block.size
        tail = (tail + leaves)[-(size % merkle.TILE) :] if size % merkle.TILE else []
        signer = signers[block.key_id]
        expected = signing.head_text(name=signer.name, number=number, size=size, root=root, now=block.sealed_at)
        signed = told.pop(f"blk_{number}", None)
        if root != bytes(block.root) or not block.note.startswith(f"{expected}\n"):
            found.append(Finding("I3.root", "", "", number, size))
        elif signed is not None and signed != {(size, root.hex())}:
            found.append(Finding("I3.forked", "", "", number, size))
        elif not signing.signature_holds(key=signer, note=block.note):
            found.append(Finding("I3.signature", "", "", number, size))
        if len(found) >= FEW:
            break
    else:
        found += [Finding("I3.forked", "", "", int(block.removeprefix("blk_")), min(told[block])[0]) for block in told][
            :FEW
        ]
        for level, hashes in stored.items():
            rows = Subtree.objects.filter(level=level).order_by("index").values_list("index", "hash")
            if [(index, bytes(one)) for index, one in rows] != list(enumerate(hashes)):
                found.append(Finding("I3.subtree", "", "", level, len(hashes)))
    return found


def _leaves(above: int, up_to: int) -> list[bytes]:
    """The leaves at positions above one, up to another."""
    query = "SELECT leaf FROM ledger_seal WHERE position > %s AND position <= %s ORDER BY position"
    return [bytes(leaf) for (leaf,) in _rows(query, [above, up_to])]


def _rows(query: str, values: list[Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query, values)
        return list(cursor.fetchall())
