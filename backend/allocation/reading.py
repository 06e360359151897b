"""Reads JSON values that come from outside: each refusal names the path of what was wrong."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from backend.allocation.kernel import AllocationError

_ABSENT: Any = object()
MOST = 2**63 - 1  # what the ledger can hold, and more minutes than there are


@dataclass(frozen=True, slots=True)
class Reader:
    """One JSON value and where it stands (`tiers[0].take`); every method raises AllocationError with that path."""

    value: Any
    path: str

    def at(self, key: str, default: Any = _ABSENT) -> "Reader":
        """The value under a key of this object; `default` when the key is absent (missing_value without one)."""
        if type(self.value) is not dict and not isinstance(self.value, Mapping):  # most are plain: ask that first
            raise AllocationError("not_an_object", f"{self.path or 'The document'} must be an object.", self.path)
        where = f"{self.path}.{key}" if self.path else key
        found = self.value.get(key, default)
        if found is _ABSENT:
            raise AllocationError("missing_value", f"{where} is missing.", where)
        return Reader(found, where)

    def items(self) -> Iterator["Reader"]:
        """Each item of this list, with its index in the path."""
        if not isinstance(self.value, list | tuple):
            raise AllocationError("not_a_list", f"{self.path} must be a list.", self.path)
        for index, item in enumerate(self.value):
            yield Reader(item, f"{self.path}[{index}]")

    def entries(self) -> Iterator[tuple[str, "Reader"]]:
        """Each (key, value) of this object."""
        if not isinstance(self.value, Mapping):
            raise AllocationError("not_an_object", f"{self.path} must be an object.", self.path)
        for key in self.value:
            yield key, self.at(key)

    def whole(self, least: int = 0, most: int = MOST) -> int:
        """This value as an integer between two bounds, both included."""
        value = self.value
        if type(value) is not int:  # bool is an int for Python, and True is not an amount
            raise AllocationError("not_whole", f"{self.path} must be a whole number, not {value!r:.80}.", self.path)
        if value < least:
            raise AllocationError("too_small", f"{self.path} must be at least {least}.", self.path)
        if value > most:
            raise AllocationError("too_large", f"{self.path} must be at most {most}.", self.path)
        return value

    def whole_or_none(self, most: int = MOST) -> int | None:
        """This value as an integer of zero or more, or None."""
        return None if self.value is None else self.whole(most=most)

    def signed(self) -> int:
        """This value as an integer that may be negative."""
        return self.whole(-MOST)

    def flag(self) -> bool:
        """This value as true or false."""
        if not isinstance(self.value, bool):
            raise AllocationError("not_a_flag", f"{self.path} must be true or false.", self.path)
        return self.value

    def text(self) -> str:
        """This value as a text that is not empty and that UTF-8 can write."""
        value = self.value
        if not isinstance(value, str) or not value:
            raise AllocationError("not_a_text", f"{self.path} must be a text that is not empty.", self.path)
        try:
            value.encode()
        except UnicodeEncodeError as error:
            raise AllocationError(
                "not_a_text", f"{self.path} must be a text that UTF-8 can write.", self.path
            ) from error
        return value

    def one_of(self, choices: tuple[str, ...]) -> str:
        """This value as one of the given texts."""
        if not isinstance(self.value, str) or self.value not in choices:
            raise AllocationError("unknown_choice", f"{self.path} must be one of {', '.join(choices)}.", self.path)
        return self.value

    def once(self, key: Any, seen: set[Any]) -> None:
        """Refuse what was met before: `key` identifies this value among `seen`, which grows."""
        if key in seen:
            raise AllocationError("given_twice", f"{self.path} is given twice: give it once.", self.path)
        seen.add(key)
