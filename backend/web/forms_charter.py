"""The form of a charter: fields in plain words, read into a document and written from one; the domain judges it."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backend.allocation.rules import RULES
from backend.commons.charter_schema import FORMAT, LEFT, WHOLE
from backend.commons.charters import CharterInvalid
from backend.commons.models import Budget
from backend.commons.words import EXPENSE, KINDS, rule_name
from backend.core.errors import DomainError
from backend.core.money import exponent, parse_amount
from backend.web.charter_closing import ClosingFields, closing_initial, closing_members
from backend.web.charter_fields import DECIMAL, AmountField, NumberField, scaled, typed
from backend.web.charter_review import NUMBER, ReviewFields, review_initial, review_members

TIERS = UPSTREAM = 4


class CharterForm(ClosingFields, ReviewFields):
    """The rules of a budget in plain words."""

    minutes_a_day = forms.IntegerField(
        label=_("Minutes in a day of work"), min_value=1, max_value=1440, widget=forms.TextInput(attrs=NUMBER),
        help_text=_("In minutes: 420 are seven hours."),
    )  # fmt: skip
    decay = forms.CharField(
        label=_("Work of earlier periods counts again for"), required=False, max_length=400,
        widget=forms.TextInput(attrs=DECIMAL),
        help_text=_("Only for rules that share by time. In percent, one period after the other: 50; 25. Empty: never."),
    )  # fmt: skip
    catch_up_periods = forms.IntegerField(
        label=_("How many periods the rule of catching up looks back"), required=False, min_value=1, max_value=1000,
        widget=forms.TextInput(attrs=NUMBER), help_text=_("Empty: to the beginning."),
    )  # fmt: skip
    cut_claims_at_pot = forms.BooleanField(
        label=_("A request above all that is shared counts as that much only"), required=False,
        help_text=_("It limits what a very large request takes from the others."),
    )  # fmt: skip
    earmarks_weights = forms.ChoiceField(
        label=_("Money of the envelopes that follow these rules"),
        choices=[
            ("add", _("comes on top of what the common pot gives")),
            ("offset", _("is taken into account: the common pot gives more to the others")),
            ("exclude", _("takes the place of the common pot for the work in them")),
        ],
    )
    earmarks_leftover = forms.ChoiceField(
        label=_("What is left in these envelopes"),
        choices=[("hold", _("stays there")), ("release", _("goes to the budget above"))],
    )
    declare = forms.ChoiceField(
        label=_("Who may declare"),
        choices=[
            ("members", _("the contributors and stewards of the budget")),
            ("everyone", _("everyone who has an account")),
        ],
    )
    floor = AmountField(
        label=_("At least, for whoever has validated work"),
        help_text=_("An amount a period. Empty: nothing is promised."),
    )
    ceiling = AmountField(label=_("At most, in all"), help_text=_("An amount a period. Empty: no limit."))
    ceiling_bp = NumberField(
        label=_("At most, of what is shared"), times=100, most=100, help_text=_("In percent. Empty: no limit.")
    )
    hourly_cap = AmountField(
        label=_("At most, for a validated hour"), help_text=_("An amount an hour. Empty: no limit.")
    )
    reserve_bp = NumberField(
        label=_("Set aside in the reserve"),
        times=100,
        most=100,
        help_text=_("In percent of what came in. Empty: nothing."),
    )
    reserve_target = AmountField(label=_("Until the reserve holds"), help_text=_("An amount. Empty: without end."))
    min_edge = AmountField(
        label=_("Smallest amount sent to another commons"), help_text=_("An amount: below it nothing is sent.")
    )
    soft_cap = AmountField(label=_("A request says why above"), help_text=_("An amount. Empty: never."))
    hard_cap = AmountField(label=_("Largest request"), help_text=_("An amount. Empty: no limit."))
    carry_periods = forms.IntegerField(
        label=_("The unpaid part of a request stays a request for"), min_value=0, max_value=24,
        widget=forms.TextInput(attrs=NUMBER), help_text=_("In periods. 0: it is no longer asked."),
    )  # fmt: skip
    minimum_payout = AmountField(
        label=_("Smallest payment"), help_text=_("An amount: below it what is owed stays due. Empty: none.")
    )
    transfer_threshold = AmountField(
        label=_("One person may transfer, in thirty days, up to"),
        help_text=_("An amount. Empty: it always takes two people."),
    )
    period_unit = forms.ChoiceField(
        label=_("Length of the next periods"),
        choices=[
            ("", _("as long as the one before")), ("months", _("a number of months")), ("days", _("a number of days")),
        ],
    )  # fmt: skip
    period_length = forms.IntegerField(
        label=_("How many months or days"), required=False, min_value=1, max_value=731,
        widget=forms.TextInput(attrs=NUMBER),
    )  # fmt: skip
    publication_days = forms.IntegerField(
        label=_("A distribution is shown before it can be approved for"), min_value=0, max_value=90,
        widget=forms.TextInput(attrs=NUMBER), help_text=_("In days. 0: it can be approved at once."),
    )  # fmt: skip
    after = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, document: Mapping[str, Any], budget: Budget, pots: Sequence[Budget], **kwargs: Any
    ) -> None:
        """One row for each tier, kind and budget upstream. Args: document: what the fields begin with."""
        super().__init__(*args, **kwargs)
        self.currency = budget.currency
        self.tiers = range(1, max(TIERS, len(document["tiers"])) + 1)
        self.edges = range(1, max(UPSTREAM, len(document["upstream"])) + 1)
        self.fields["period_unit"].required = False
        for number in self.tiers:
            self._add_tier(number)
        for kind, name in KINDS:
            self.fields[f"kind_{kind}"] = forms.BooleanField(
                label=_("%(kind)s can be declared") % {"kind": name}, required=False
            )
            self.fields[f"coefficient_{kind}"] = NumberField(
                label=_("Coefficient: %(kind)s") % {"kind": name}, times=1000, most=100
            )
            if kind != EXPENSE:
                self.fields[f"rate_{kind}"] = AmountField(label=_("Usual worth of an hour: %(kind)s") % {"kind": name})
        for number in self.edges:
            self.fields[f"to_{number}"] = forms.ChoiceField(
                label=_("Budget %(number)s that receives") % {"number": number}, required=False,
                choices=[("", "—"), *((pot.pk, pot.full_name) for pot in pots)],
            )  # fmt: skip
            self.fields[f"bp_{number}"] = NumberField(
                label=_("Its part, in percent of what came in (%(number)s)") % {"number": number}, times=100, most=50
            )
        for field in self.fields.values():
            if isinstance(field, AmountField):
                field.currency = budget.currency
        self.initial = {**self._initial(document), **self.initial}

    def _add_tier(self, number: int) -> None:
        rules = [(rule, rule_name(rule)) for rule in sorted(RULES)]
        said = {"number": number}
        fields: dict[str, forms.Field] = {
            "rule": forms.ChoiceField(
                label=_("Rule") if number == 1 else _("Rule of tier %(number)s") % said, required=number == 1,
                choices=rules if number == 1 else [("", _("no such tier")), *rules],
            ),
            "take": forms.ChoiceField(
                label=_("Money of tier %(number)s") % said,
                choices=[
                    ("rest", _("all that is left")), ("cents", _("an amount at most")),
                    (WHOLE, _("a part of the whole, in percent")), (LEFT, _("a part of what is left, in percent")),
                ],
            ),
            "part": forms.CharField(
                label=_("Amount or percentage of tier %(number)s") % said, required=False, max_length=30,
                widget=forms.TextInput(attrs=DECIMAL), help_text=_("Empty when it shares all that is left."),
            ),
            "kinds": forms.MultipleChoiceField(
                label=_("Only for these kinds, in tier %(number)s") % said, required=False, choices=KINDS,
                widget=forms.CheckboxSelectMultiple, help_text=_("None chosen: all kinds."),
            ),
            "reimburses": forms.BooleanField(
                label=_("Tier %(number)s gives back what people spent, outside the limits of each person") % said,
                required=False,
            ),
            "id": forms.CharField(max_length=32, required=False, widget=forms.HiddenInput),
        }  # fmt: skip
        fields["take"].required = False
        for name, field in fields.items():
            self.fields[f"tier{number}_{name}"] = field

    def tier_rows(self) -> list[dict[str, Any]]:
        """The fields of each tier, for the page; `used` says whether the tier is there."""
        names = ("rule", "take", "part", "kinds", "reimburses", "id")
        rows = []
        for number in self.tiers:
            row: dict[str, Any] = {name: self[f"tier{number}_{name}"] for name in names}
            used = bool(row["rule"].value())
            wrong = any(self.errors.get(f"tier{number}_{name}") for name in names)
            rows.append({**row, "number": number, "used": used, "open": used or wrong})
        return rows

    def tiered(self) -> bool:
        """Whether there is more than the simple case of one tier, or something is wrong there."""
        rows = self.tier_rows()
        more = any(row["used"] for row in rows[1:])
        return more or bool(self.initial.get("tier1_kinds")) or any(name.startswith("tier") for name in self.errors)

    def kind_rows(self) -> list[dict[str, Any]]:
        """The fields of each kind of work."""
        return [
            {
                "name": name, "listed": self[f"kind_{kind}"], "coefficient": self[f"coefficient_{kind}"],
                "rate": None if kind == EXPENSE else self[f"rate_{kind}"],
            }
            for kind, name in KINDS
        ]  # fmt: skip

    def edge_rows(self) -> list[dict[str, Any]]:
        """The fields of each budget upstream."""
        return [{"to": self[f"to_{number}"], "bp": self[f"bp_{number}"]} for number in self.edges]

    def _money(self, amount: int | None) -> str:
        """Minor units as one types them; nothing for none."""
        return typed(Decimal(amount) / 10 ** exponent(self.currency)) if amount else ""

    def _initial(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """What the fields show for a document."""
        bounds, reserve, period = document["bounds"], document["reserve"], document["period"]
        unit, length = next(iter((period or {"": None}).items()))
        found: dict[str, Any] = {
            "minutes_a_day": document["minutes_a_day"],
            "decay": "; ".join(typed(Decimal(one) / 10_000) for one in document["decay_ppm"][1:]),
            "catch_up_periods": document["catch_up_periods"],
            "cut_claims_at_pot": document["cut_claims_at_pot"],
            "earmarks_weights": document["earmarks"]["weights"],
            "earmarks_leftover": document["earmarks"]["leftover"],
            "declare": document["declare"],
            "ceiling_bp": _percent(bounds["ceiling_bp"]),
            "reserve_bp": _percent(reserve["bp"]),
            "reserve_target": self._money(reserve["target"]),
            "carry_periods": document["unpaid"]["carry_periods"],
            **review_initial(document),
            **closing_initial(document),
            "period_unit": unit,
            "period_length": length,
            "publication_days": document["publication_days"],
        }
        for name in ("floor", "ceiling", "hourly_cap"):
            found[name] = self._money(bounds[name])
        for name in ("min_edge", "soft_cap", "hard_cap", "minimum_payout", "transfer_threshold"):
            found[name] = self._money(document[name])
        for number, tier in enumerate(document["tiers"], start=1):
            found |= {f"tier{number}_{name}": value for name, value in self._tier_initial(tier).items()}
        for kind, _name in KINDS:
            found[f"kind_{kind}"] = kind in document["kinds"]
            found[f"coefficient_{kind}"] = typed(Decimal(document["kinds"].get(kind, 1000)) / 1000)
            found[f"rate_{kind}"] = self._money(document.get("rates", {}).get(kind))
        for number, edge in enumerate(document["upstream"], start=1):
            found |= {f"to_{number}": edge["to"], f"bp_{number}": _percent(edge["bp"])}
        return found

    def _tier_initial(self, tier: Mapping[str, Any]) -> dict[str, Any]:
        take = tier["take"]
        chosen, part = "rest", ""
        if "cents" in take:
            chosen, part = "cents", self._money(take["cents"])
        elif "bp" in take:
            chosen, part = take["of"], _percent(take["bp"])
        return {
            "rule": tier["rule"], "take": chosen, "part": part, "kinds": tier["kinds"] or [],
            "reimburses": tier["reimburses"], "id": tier["id"],
        }  # fmt: skip

    def clean(self) -> dict[str, Any]:
        """Read the parts of tiers, the table of ages and the length of periods, which no field can read alone."""
        values: dict[str, Any] = super().clean() or {}
        for number in self.tiers:
            take, text = values.get(f"tier{number}_take") or "rest", values.get(f"tier{number}_part") or ""
            values[f"tier{number}_read"] = {"rest": True}
            if take == "rest" or not values.get(f"tier{number}_rule"):
                continue
            try:
                if take == "cents":
                    values[f"tier{number}_read"] = {"cents": parse_amount(text, self.currency)}
                else:
                    values[f"tier{number}_read"] = {"bp": scaled(text, 100), "of": take}
            except (DomainError, forms.ValidationError) as refusal:
                said = refusal.messages[0] if isinstance(refusal, forms.ValidationError) else str(refusal)
                self.add_error(f"tier{number}_part", said)
        try:
            ages = [one for one in (values.get("decay") or "").split(";") if one.strip()]
            values["decay_read"] = [1_000_000, *(scaled(one, 10_000) for one in ages)]
        except forms.ValidationError as refusal:
            self.add_error("decay", refusal)
        if values.get("period_unit") and not values.get("period_length") and "period_length" not in self.errors:
            self.add_error("period_length", _("Say how many."))
        for number in self.edges:
            if bool(values.get(f"to_{number}")) != bool(values.get(f"bp_{number}")) and not self.errors:
                self.add_error(f"bp_{number}", _("Give both the budget and its part, or neither."))
        return values

    def document(self) -> dict[str, Any]:
        """The document that a valid form says."""
        values = self.cleaned_data
        unit = values["period_unit"]
        rows = [number for number in self.tiers if values[f"tier{number}_rule"]]
        rates = {kind: values[f"rate_{kind}"] for kind, _name in KINDS if values.get(f"rate_{kind}")}
        kept = {values[f"tier{number}_id"] for number in rows}
        return {
            "format": FORMAT,
            "tiers": [self._tier(number, len(rows) == 1, kept) for number in rows],
            "kinds": {
                kind: 1000 if values[f"coefficient_{kind}"] is None else values[f"coefficient_{kind}"]
                for kind, _name in KINDS
                if values[f"kind_{kind}"]
            },
            **({"rates": rates} if rates else {}),
            "minutes_a_day": values["minutes_a_day"],
            "decay_ppm": values["decay_read"],
            "catch_up_periods": values["catch_up_periods"],
            "bounds": {
                "floor": values["floor"] or 0,
                **{name: values[name] or None for name in ("ceiling", "ceiling_bp", "hourly_cap")},
            },
            "cut_claims_at_pot": values["cut_claims_at_pot"],
            "soft_cap": values["soft_cap"] or None,
            "hard_cap": values["hard_cap"] or None,
            "reserve": {"bp": values["reserve_bp"] or 0, "target": values["reserve_target"]},
            "upstream": [
                {"to": values[f"to_{number}"], "bp": values[f"bp_{number}"]}
                for number in self.edges
                if values[f"to_{number}"]
            ],
            "min_edge": values["min_edge"] or 0,
            "earmarks": {"weights": values["earmarks_weights"], "leftover": values["earmarks_leftover"]},
            "minimum_payout": values["minimum_payout"] or 0,
            "unpaid": {"carry_periods": values["carry_periods"]},
            **review_members(values),
            **closing_members(values),
            "period": {unit: values["period_length"]} if unit else None,
            "publication_days": values["publication_days"],
            "transfer_threshold": values["transfer_threshold"] or 0,
            "declare": values["declare"],
        }

    def _tier(self, number: int, alone: bool, kept: set[str]) -> dict[str, Any]:
        values = self.cleaned_data
        name = values[f"tier{number}_id"]
        if not name:
            name = "general" if alone and "general" not in kept else _free_name(number, kept)
        return {
            "id": name,
            "rule": values[f"tier{number}_rule"],
            "kinds": values[f"tier{number}_kinds"] or None,
            "take": values[f"tier{number}_read"],
            "reimburses": values[f"tier{number}_reimburses"],
        }

    def say(self, refusal: CharterInvalid) -> None:
        """Put each fault beside the field that it is about."""
        for path, sentence in refusal.faults:
            self.add_error(self._field_of(path), sentence)

    def _field_of(self, path: str) -> str | None:
        """The field that wrote a place of the document; None for a place that has no field."""
        head, _dot, rest = path.partition(".")
        name, _bracket, index = head.rstrip("]").partition("[")
        if name == "tiers" and index:
            rows = [number for number in self.tiers if self.cleaned_data.get(f"tier{number}_rule")]
            member = rest.split(".")[0].split("[")[0]
            found = f"tier{rows[int(index)]}_{member or 'rule'}"
            if member == "take" and rest != "take":
                found = f"tier{rows[int(index)]}_part"
        elif name == "upstream" and index:
            rows = [number for number in self.edges if self.cleaned_data.get(f"to_{number}")]
            found = f"{'bp' if rest == 'bp' else 'to'}_{rows[int(index)]}"
        elif name == "kinds" and rest:
            found = f"coefficient_{rest}"
        elif name == "rates":
            found = f"rate_{rest}"
        else:
            found = _FIELDS.get(path) or _FIELDS.get(name) or name
        return found if found in self.fields and found != "id" else None


# Places of the document → fields, where the two names differ.
_FIELDS = {
    "kinds": "kind_development", "decay_ppm": "decay", "bounds.floor": "floor", "bounds.ceiling": "ceiling",
    "bounds.ceiling_bp": "ceiling_bp", "bounds.hourly_cap": "hourly_cap", "reserve.bp": "reserve_bp",
    "reserve.target": "reserve_target", "upstream": "bp_1", "earmarks.weights": "earmarks_weights",
    "earmarks.leftover": "earmarks_leftover", "unpaid": "carry_periods", "review": "review_mode",
    "review.approvals": "approvals", "review.days": "consent_days", "objections": "settled_by",
    "period": "period_length", "closing.mode": "closing_mode",
    "closing": "closing_days",
}  # fmt: skip


def _percent(basis_points: int | None) -> str:
    return typed(Decimal(basis_points) / 100) if basis_points else ""


def _free_name(number: int, kept: set[str]) -> str:
    """A name that no other tier has."""
    while f"tier-{number}" in kept:
        number += 10
    return f"tier-{number}"
