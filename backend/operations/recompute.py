"""Recomputes in SQL the shares of a stored distribution: another language, another method, no code of the engine.

The engine finds theta by passes over lists; here it is read off the sorted breakpoints (the thetas at which somebody
meets a bound) with running sums. From the trace only what was given is read: amounts, rules, seeds, and each person's
weight, claim, counted money, floor, ceiling and lines. What it gave is then compared.
"""

import json
from dataclasses import dataclass
from typing import Any

from django.db import connection

# Unmet floors are shared as claims_cea does; claims_talmud is reckoned in half cents. `scale` units make a cent.
GIVEN = """
trace AS MATERIALIZED (SELECT %s::jsonb AS document),
step AS MATERIALIZED (
  SELECT place, value->>'id' AS name, value->>'seed' AS seed, value->>'rule' AS rule, value->'persons' AS persons,
         (value->>'in')::numeric AS amount, (value->>'unspent')::numeric AS unspent
  FROM trace, jsonb_array_elements(document->'steps') WITH ORDINALITY AS listed(value, place)
),
asked AS MATERIALIZED (
  SELECT place, name, seed, rule, amount, row->>'id' AS id, (row->>'weight')::numeric AS weight,
         (row->>'claim')::numeric AS claim, (row->>'counted')::numeric AS counted, (row->>'floor')::numeric AS floor,
         (row->>'cents')::numeric AS cents, row->'lines' AS lines, row->'per_line_cents' AS per_line,
         least(coalesce((row->>'ceiling')::numeric, amount + 1),
               CASE WHEN rule = 'as_asked' OR rule LIKE 'claims%%' THEN (row->>'claim')::numeric END) AS ceiling
  FROM step, jsonb_array_elements(persons) AS listed(row)
),
bounded AS MATERIALIZED (
  SELECT place, id, rule, amount, seed, weight, claim, counted, ceiling, least(floor, ceiling) AS floor,
         sum(least(floor, ceiling)) OVER whole > amount AND rule <> 'as_asked' AS unmet,
         greatest(2 * least(floor, ceiling), least(2 * ceiling, claim)) AS half,
         sum(greatest(2 * least(floor, ceiling), least(2 * ceiling, claim))) OVER whole < 2 * amount AS beyond,
         CASE WHEN rule = 'equal' THEN 1 WHEN rule IN ('weighted', 'catch_up') THEN weight ELSE claim END AS entitlement
  FROM asked WINDOW whole AS (PARTITION BY place)
),
kernel AS MATERIALIZED (
  SELECT place, id, seed, entitlement,
         CASE WHEN rule = 'claims_talmud' AND NOT unmet THEN 2 ELSE 1 END AS scale,
         CASE WHEN rule = 'claims_talmud' AND NOT unmet THEN 2 * amount ELSE amount END AS room,
         CASE WHEN unmet THEN sign(floor)
              WHEN rule = 'equal' THEN 1
              WHEN rule IN ('weighted', 'catch_up') THEN weight
              WHEN rule = 'claims_pro' THEN claim
              ELSE sign(claim) END AS w,
         CASE WHEN unmet THEN 0
              WHEN rule = 'catch_up' THEN counted
              WHEN rule = 'claims_cel' THEN -claim
              WHEN rule = 'claims_talmud' AND beyond THEN -2 * claim
              ELSE 0 END AS p,
         CASE WHEN unmet THEN 0
              WHEN rule = 'claims_talmud' THEN CASE WHEN beyond THEN half ELSE 2 * floor END
              ELSE floor END AS l,
         CASE WHEN unmet THEN floor
              WHEN rule = 'claims_talmud' THEN CASE WHEN beyond THEN 2 * ceiling ELSE half END
              ELSE ceiling END AS u
  FROM bounded WHERE rule <> 'as_asked' OR unmet
)"""

# Two different breakpoints n/w and m/v are at least 1/(w*v) apart: truncated to parts of `unit` they keep their order.
BREAKPOINTS = """
room AS MATERIALIZED (
  SELECT place, max(room) - coalesce(sum(l) FILTER (WHERE w = 0), 0) AS room,
         coalesce(sum(l) FILTER (WHERE w > 0), 0) AS lowest,
         ('1' || repeat('0', 2 * length(max(w)::text) + 2))::numeric AS unit
  FROM kernel GROUP BY place
),
placed AS MATERIALIZED (
  SELECT kernel.*, div((l + p) * unit, nullif(w, 0)) AS leaves_floor,
         div((u + p) * unit, nullif(w, 0)) AS meets_ceiling
  FROM kernel JOIN room USING (place)
),
event AS (
  SELECT place, leaves_floor AS point, l + p AS top, w AS bottom, w AS slope, -p - l AS level FROM placed WHERE w > 0
  UNION ALL
  SELECT place, meets_ceiling, u + p, w, -w, p + u FROM placed WHERE w > 0
),
reached AS MATERIALIZED (
  SELECT DISTINCT ON (place) place, point, slope, level
  FROM (SELECT place, point, top, bottom, sum(slope) OVER upto AS slope, sum(level) OVER upto AS level
        FROM event WINDOW upto AS (PARTITION BY place ORDER BY point)) AS running
  JOIN room USING (place)
  WHERE slope * top + (lowest + level) * bottom <= room.room * bottom
  ORDER BY place, point DESC
),
exact AS MATERIALIZED (
  SELECT place, id, seed, entitlement, scale * divisor AS bottom,
         CASE WHEN w = 0 OR leaves_floor > point THEN l * divisor
              WHEN meets_ceiling <= point THEN u * divisor
              ELSE top * w - p * divisor END AS top
  FROM (SELECT placed.*, point, coalesce(nullif(slope, 0), 1) AS divisor, room.room - lowest - level AS top
        FROM placed JOIN room USING (place) LEFT JOIN reached USING (place)) AS solved
),
ranked AS (
  SELECT place, id, div(top, bottom) AS base, mod(top, bottom) AS remainder,
         div(sum(mod(top, bottom)) OVER (PARTITION BY place), bottom) AS missing,
         row_number() OVER (PARTITION BY place ORDER BY mod(top, bottom) DESC, entitlement DESC,
                            sha256(convert_to(seed || '|' || id, 'UTF8'))) AS rank
  FROM exact
)"""

# as_asked serves requests: each takes what its person's ceiling leaves, then what the money leaves, in order.
REQUESTS = """
request AS (
  SELECT place, id, amount, ceiling, (line->>'rank')::numeric AS rank, line->>'contribution' AS contribution,
         (line->>'claim')::numeric AS claim
  FROM asked, jsonb_array_elements(lines) AS listed(line) WHERE rule = 'as_asked'
),
within AS (
  SELECT *, sum(claim) OVER (PARTITION BY place, id ORDER BY rank, contribution COLLATE "C") AS run FROM request
),
served AS (
  SELECT *, least(run, ceiling) - least(run - claim, ceiling) AS part,
         sum(least(run, ceiling) - least(run - claim, ceiling))
           OVER (PARTITION BY place ORDER BY rank, contribution COLLATE "C") AS used
  FROM within
)"""

FOUND = """
found AS MATERIALIZED (
  SELECT place, id, base + CASE WHEN remainder > 0 AND rank <= missing THEN 1 ELSE 0 END AS cents FROM ranked
  UNION ALL
  SELECT place, id, sum(least(used, amount) - least(used - part, amount)) FROM served GROUP BY place, id
),
compared AS (
  SELECT 1 AS turn, place, name AS whose, id, asked.cents AS said, found.cents AS ours
  FROM asked LEFT JOIN found USING (place, id)
  UNION ALL
  SELECT 2, place, name, 'lines of ' || id,
         (SELECT sum(part::numeric) FROM jsonb_array_elements_text(per_line) AS part), cents
  FROM asked WHERE jsonb_array_length(per_line) > 0
  UNION ALL
  SELECT 3, place, name, 'unspent', unspent,
         amount - coalesce((SELECT sum(cents) FROM found WHERE found.place = step.place), 0)
  FROM step
  UNION ALL
  SELECT 4, 0, 'in all', coalesce(whole.id, parts.id), whole.cents, coalesce(parts.cents, 0)
  FROM (SELECT row->>'id' AS id, (row->>'cents')::numeric AS cents
        FROM trace, jsonb_array_elements(document->'persons') AS listed(row)) AS whole
  FULL JOIN (
    SELECT id, sum(cents) AS cents
    FROM (SELECT id, cents FROM found
          UNION ALL
          SELECT change->>'person', (change->>'agreed')::numeric - (change->>'computed')::numeric
          FROM trace, jsonb_array_elements(document#>'{arbitration,changes}') AS listed(change)
          WHERE jsonb_typeof(document->'arbitration') = 'object') AS moved
    GROUP BY id) AS parts USING (id)
)
SELECT whose, id, said, ours, (SELECT count(*) FROM asked), (SELECT count(*) FROM step)
FROM (SELECT NULL) AS one LEFT JOIN LATERAL (
  SELECT * FROM compared WHERE said IS DISTINCT FROM ours ORDER BY turn, place, id COLLATE "C" LIMIT 1
) AS first ON true"""

STATEMENT = f"WITH {','.join((GIVEN, BREAKPOINTS, REQUESTS))},{FOUND}"


@dataclass(frozen=True, slots=True)
class Recount:
    """How many shares of how many steps were recomputed; `difference` says the first that is not as recorded."""

    shares: int
    steps: int
    difference: str


def recount(trace: str) -> Recount:
    """Recompute each person's cents in every step of a trace, given as JSON text; amounts in minor units.

    Raises DataError (django.db) when the text is no trace.
    """
    with connection.cursor() as cursor:
        cursor.execute(STATEMENT, [trace])
        whose, name, said, ours, shares, steps = cursor.fetchone()
    if whose is None:
        return Recount(shares, steps, "")
    return Recount(shares, steps, f"{whose}, {name}: the trace says {_number(said)}, recomputed {_number(ours)}")


def compare_shares(trace: dict[str, Any], shares: dict[str, int]) -> str:
    """The first person whose recorded share is not what the trace gives her; empty when all agree."""
    given = {row["id"]: row["cents"] for row in trace["persons"]}
    for person in sorted(given.keys() | shares.keys()):
        if given.get(person, 0) != shares.get(person, 0):
            return f"{person}: the trace gives {given.get(person, 0)}, the recorded share is {shares.get(person, 0)}"
    return ""


def as_text(trace: dict[str, Any]) -> str:
    """The trace as JSON text."""
    return json.dumps(trace, ensure_ascii=False)


def _number(value: object) -> str:
    return "nothing" if value is None else f"{value}"
