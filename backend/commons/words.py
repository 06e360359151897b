"""The names of the kinds of work and of the rules of sharing, as people read them."""

from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# An expense is money spent for the commons: it has an amount and a paper, and no duration.
EXPENSE = "expense"
KINDS: "list[tuple[str, str | _StrPromise]]" = [
    ("development", _("development")),
    ("review", _("review")),
    ("documentation", _("documentation")),
    ("design", _("design")),
    ("support", _("support")),
    ("facilitation", _("facilitation")),
    (EXPENSE, _("expense")),
]
RULE_NAMES: "dict[str, str | _StrPromise]" = {
    "as_asked": _("in the order of validation"),
    "catch_up": _("first to those who received least for their work"),
    "claims_cea": _("small requests first"),
    "claims_cel": _("the same amount taken off each request"),
    "claims_pro": _("pro rata of the validated requests"),
    "claims_talmud": _("half of each request first"),
    "equal": _("the same for everyone"),
    "weighted": _("pro rata of the validated time"),
}
RULE_SENTENCES: "dict[str, str | _StrPromise]" = {
    "as_asked": _("Requests are served in the order in which they were validated, until the pot is empty."),
    "catch_up": _("Who received least for their time since the beginning comes first; nobody gives anything back."),
    "claims_cea": _("If the pot does not suffice, small requests are served in full and the large ones are levelled."),
    "claims_cel": _("If the pot does not suffice, the same amount is taken off each request, down to zero."),
    "claims_pro": _("If the pot does not suffice, all requests are reduced in the same proportion."),
    "claims_talmud": _(
        "Everyone first receives up to half of their request; beyond, the same amount is missing to all."
    ),
    "equal": _("Everyone whose work is validated receives the same."),
    "weighted": _("All that there is is shared in proportion to validated time, by kind of work."),
}


def rule_sentence(rule: str) -> str:
    """How a rule shares, in a sentence; its key when it has no words yet."""
    return str(RULE_SENTENCES.get(rule, rule))


def rule_name(rule: str) -> str:
    """What a rule does, in a few words; its key when it has no words yet."""
    return str(RULE_NAMES.get(rule, rule))
