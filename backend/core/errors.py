"""The four kinds of refusal a service may answer; concrete codes stand beside the function that raises them.

DomainError
    Invalid     422  the input cannot be used
    Forbidden   403  the person may not do this
    NotFound    404  there is no such thing, or it is not theirs to see
    Conflict    409  it is not possible in the present state
"""

from typing import TYPE_CHECKING, ClassVar

from backend.core.refusals import note

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.utils.functional import _StrPromise


class DomainError(Exception):
    """A refusal with a stable code, a sentence for people, and the name of the field it is about."""

    status: ClassVar[int]
    # The refusals that this one sums up, where many things were asked at once.
    within: "tuple[DomainError, ...]" = ()
    # What else is wrong with the same input: told with it, each beside its field.
    beside: "tuple[DomainError, ...]" = ()
    # What programs read of it: the words of the API where the sentence has those of the pages.
    for_programs: str = ""

    def __init__(self, code: str, message: "str | _StrPromise", *, param: str = "") -> None:
        """Keep what the handlers of the API and of the pages need."""
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.param = param

    def __str__(self) -> str:
        """The sentence, in the language of the moment."""
        return str(self.message)


class Invalid(DomainError):
    """The input cannot be used."""

    status = 422


def refuse(found: "Iterable[Invalid]") -> None:
    """Raise the first of what is wrong with an input, with the others beside it; nothing where nothing is wrong."""
    wrong = list(found)
    if wrong:
        wrong[0].beside = tuple(wrong[1:])
        raise wrong[0]


class Forbidden(DomainError):
    """The person may not do this; `action` names the right that was refused, where there is one."""

    status = 403

    def __init__(self, code: str, message: "str | _StrPromise", *, param: str = "", action: str = "") -> None:
        """Keep the right too."""
        super().__init__(code, message, param=param)
        self.action = action
        note(self)


class NotFound(DomainError):
    """There is no such thing, or it is not theirs to see."""

    status = 404


class Conflict(DomainError):
    """Not possible in the present state; what two people must see and did not is a refused act too."""

    status = 409
    # Something else than what was shown, or without the second person that it takes.
    NOTED = frozenset(
        {
            "commons_changed", "distribution_changed", "opening_changed", "proposal_changed", "proposer_without_right",
            "treasurer_wanted",
        }
    )  # fmt: skip

    def __init__(self, code: str, message: "str | _StrPromise", *, param: str = "") -> None:
        """Keep it for the audit trail where it is one of those."""
        super().__init__(code, message, param=param)
        if code in self.NOTED:
            note(self)
