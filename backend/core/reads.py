"""Reads that nearly every request makes: Django writes their statement once, each call gives its values."""

from collections.abc import Callable, Iterable
from copy import copy
from functools import cached_property
from typing import Any, Generic, TypeVar

from django.db import DEFAULT_DB_ALIAS, connections
from django.db.models import BooleanField, F, Func, QuerySet, Value
from django.db.models.sql.compiler import SQLCompiler

Row = TypeVar("Row")


class Given(Value):
    """Stands in a query where a value of the call goes."""

    def as_sql(self, compiler: SQLCompiler, connection: Any) -> tuple[str, tuple[Any, ...]]:
        """A place in the statement; the value comes with each call."""
        return "%s", (self,)


def among(field: str, values: "Given | Iterable[str]") -> Func:
    """Whether a column is one of these, which may come with the call: `filter(among("pk", ids))`."""
    listed = values if isinstance(values, Given) else Value(sorted(values))
    return Func(F(field), listed, arg_joiner=" = ANY (", template="(%(expressions)s))", output_field=BooleanField())


class Read(Generic[Row]):
    """A query whose text never changes: to write it takes Django longer than PostgreSQL needs to answer it.

    Only the text is kept, never an answer: what was revoked a moment ago is revoked.
    """

    def __init__(self, *names: str, rows: "Callable[..., QuerySet[Any, Row]]") -> None:
        """Args: names: of the values that come with each call. rows: the query, of these values by their names."""
        self._names, self._rows = names, rows

    @cached_property
    def _written(self) -> "tuple[QuerySet[Any, Row], SQLCompiler, str, tuple[Any, ...]]":
        rows = self._rows(**{name: Given(name) for name in self._names})
        compiler = rows.query.get_compiler(DEFAULT_DB_ALIAS)
        text, places = compiler.as_sql()
        if set(self._names) != {one.value for one in places if isinstance(one, Given)}:
            raise ValueError(f"The query does not take each of {', '.join(self._names)}.")
        return rows, compiler, text, places

    def __call__(self, **given: Any) -> list[Row]:
        """The rows, by these values; raises KeyError when one is missing."""
        rows, written, text, places = self._written
        rows, compiler = rows.all(), copy(written)
        compiler.connection = connections[DEFAULT_DB_ALIAS]  # that of this thread
        values = tuple(given[one.value] if isinstance(one, Given) else one for one in places)
        compiler.as_sql = lambda *_how, **_what: (text, values)  # type: ignore[method-assign]
        rows.query.get_compiler = lambda *_how, **_what: compiler  # type: ignore[method-assign]
        return list(rows)
