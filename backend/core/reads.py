"""Reads that nearly every request makes: Django writes their statement once, each call gives its values."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.db import DEFAULT_DB_ALIAS, connection
from django.db.models import QuerySet


class _Given(str):
    """Stands in a statement where a value of the call goes."""


class Read:
    """A query whose text never changes: to write it takes Django longer than PostgreSQL needs to answer it.

    Only the text is kept, never an answer: what was revoked a moment ago is revoked.
    """

    def __init__(self, *names: str, rows: "Callable[..., QuerySet[Any, tuple[Any, ...]]]") -> None:
        """Args: names: of the texts that change from one call to the next. rows: the query (`values_list`) of them."""
        self._names, self._rows = names, rows

    @cached_property
    def _written(self) -> tuple[str, tuple[Any, ...], Any, Any]:
        given = {name: _Given(name) for name in self._names}
        compiler = self._rows(**given).query.get_compiler(DEFAULT_DB_ALIAS)
        text, places = compiler.as_sql()
        missing = set(self._names) - {str(one) for one in places if isinstance(one, _Given)}
        if missing:
            raise ValueError(f"The query does not take {', '.join(sorted(missing))} as given.")
        return text, places, compiler, compiler.get_converters([column for column, *_rest in compiler.select])

    def __call__(self, **given: str) -> list[tuple[Any, ...]]:
        """The rows, by these values."""
        text, places, compiler, converters = self._written
        with connection.cursor() as cursor:
            cursor.execute(text, [given[one] if isinstance(one, _Given) else one for one in places])
            found = cursor.fetchall()
        return [tuple(row) for row in compiler.apply_converters(found, converters)] if converters else found
