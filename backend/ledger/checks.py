"""System checks: the chart of accounts, alone and against the books; the key that signs the heads of the log."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error, Tags, Warning, register
from django.db import connections

from backend.ledger import chart, signing
from backend.ledger.models import Posting, SealKey

HINT = "Correct the file that TRONC_CHART_FILE names, or unset it to use backend/ledger/plan.toml."


@register()
def chart_is_sound(app_configs: Any, **kwargs: Any) -> list[Error]:
    """Every fault of the chart in force, one error each."""
    return [Error(f"{chart.PLAN.source}: {problem}", hint=HINT, id="tronc.E020") for problem in chart.PROBLEMS]


@register(Tags.database)
def chart_covers_the_books(app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any) -> list[Error]:
    """A number that the books carry is in the chart: looked at by `migrate` and by `check --database default`."""
    found = []
    for name in databases or ():
        connection = connections[name]
        if Posting._meta.db_table not in connection.introspection.table_names():
            continue  # the first migration of an empty database
        used = Posting.objects.using(name).order_by("chart").values_list("chart", flat=True).distinct()
        found += [
            Error(
                f"{chart.PLAN.source}: the books carry the number {number}, which is not in [accounts].",
                hint="Put it back: a number that was used stays in the chart, under the label you like.",
                id="tronc.E021",
            )
            for number in used
            if number not in chart.PLAN.accounts and not chart.PROBLEMS
        ]
    return found


@register(Tags.database)
def heads_can_be_signed(app_configs: Any, databases: Sequence[str] | None = None, **kwargs: Any) -> list[CheckMessage]:
    """The private half of the key in force is there, if this account may look at all: only the worker's may."""
    if "default" not in (databases or ()):
        return []
    if SealKey._meta.db_table not in connections["default"].introspection.table_names():
        return []
    sentence = signing.hindrance()
    return [Warning(sentence, id="tronc.W022")] if sentence and "Permission denied" not in sentence else []
