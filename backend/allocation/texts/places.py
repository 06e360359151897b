"""Where the money of a closing came from and went before the rules, and the name of each step."""

from backend.allocation.texts.bounds import capitalised
from backend.allocation.texts.words import Row, Teller


def waterfall(tell: Teller, *, each_edge: bool) -> str:
    """From what came in to what is shared. `each_edge`: every upstream share apart, as a treasurer wants it."""
    rows = {row["step"]: row for row in tell.trace["waterfall"]}
    amount = {name: row["amount"] for name, row in rows.items()}
    sentences = []
    net = amount["receipts"] - amount["fees"] + amount["upstream_in"]
    parts = []
    if net < 0:
        sentences.append(tell.say("taken_back", amount=tell.money.signed(net)))
    else:
        came = amount["receipts"] > 0
        sentences.append(
            tell.say("came_in", amount=tell.money.amount(amount["receipts"])) if came else tell.say("came_in_nothing")
        )
        parts += _receipts(tell, rows, came=came)
    parts += _upstream(tell, each_edge=each_edge) + _reserve(tell, rows["reserve"])
    for name in ("carried", "released"):
        if amount.get(name, 0):
            phrase = "carried_short" if amount[name] < 0 else name
            parts.append(tell.say(phrase, amount=tell.money.signed(amount[name])))
    if parts:
        sentences.append(f"{capitalised(tell.listed(parts))}.")
    shared = amount["to_share"]
    sentences.append(tell.say("to_share", amount=tell.money.number(shared)) if shared else tell.say("to_share_nothing"))
    return " ".join(sentences)


def _receipts(tell: Teller, rows: dict[str, Row], *, came: bool) -> list[str]:
    parts = []
    gross, fees, upstream = rows["receipts"]["amount"], rows["fees"], rows["upstream_in"]["amount"]
    if not came and gross:
        parts.append(tell.say("refunded", amount=tell.money.signed(gross)))
    if fees["amount"]:
        taken = tell.money.signed(-fees["amount"])
        rate = fees.get("rate_bp")
        parts.append(
            tell.say("fees_no_rate", amount=taken)
            if rate is None
            else tell.say("fees", rate=tell.money.rate(rate), amount=taken)
        )
    if upstream:
        parts.append(tell.say("upstream_in", amount=tell.money.signed(upstream)))
    return parts


def _upstream(tell: Teller, *, each_edge: bool) -> list[str]:
    """The shares of other projects, together or each apart; a rate is said when it is what was applied."""
    edges = [row for row in tell.trace["waterfall"] if row["step"] == "upstream" and row["amount"]]
    if not edges:
        return []
    groups = [[edge] for edge in edges] if each_edge else [edges]
    parts = []
    for group in groups:
        whole = all(edge["amount"] == edge["base"] * edge["rate_bp"] // 10_000 for edge in group)
        phrase = ("upstream_to" if each_edge else "upstream") + ("" if whole else "_no_rate")
        values = {"amount": tell.money.signed(-sum(edge["amount"] for edge in group))}
        if whole:
            values["rate"] = tell.money.rate(sum(edge["rate_bp"] for edge in group))
        if each_edge:
            values["name"] = tell.name(group[0]["to"])
        parts.append(tell.say(phrase, **values))
    return parts


def _reserve(tell: Teller, row: Row) -> list[str]:
    if not row["amount"]:
        return []
    kept = tell.money.signed(-row["amount"])
    if row["amount"] == row["base"] * row["rate_bp"] // 10_000:
        return [tell.say("reserve", rate=tell.money.rate(row["rate_bp"]), amount=kept)]
    return [tell.say("reserve_no_rate", amount=kept)]


def tiers(tell: Teller) -> list[Row]:
    """The tiers of the charter, in order; one for a charter that does not name any."""
    return list(tell.trace["charter"]["document"].get("tiers", [])) or [{"id": "general", "rule": "claims_pro"}]


def place(tell: Teller, step: Row) -> str:
    """`General budget, part “expenses”`: the purse, and the tier when the charter has several."""
    general = step["purse"] == tell.trace["purses"][0]["id"]
    phrase = ("place_general" if general else "place_purse") if len(tiers(tell)) == 1 else "place_purse_tier"
    if general and len(tiers(tell)) > 1:
        phrase = "place_tier"
    return tell.say(phrase, purse=tell.name(step["purse"]), tier=step["tier"])


def rule_words(tell: Teller, step: Row) -> str:
    """What a step's rule does in a few words: the charter's rule, whatever was run to offset earmarked pay."""
    rule = next((tier["rule"] for tier in tiers(tell) if tier["id"] == step["tier"]), step["rule"])
    return tell.say(f"rule_{rule}")


def heading(tell: Teller, step: Row) -> str:
    """Which money this is and which rule; empty where the general budget has one tier and there is no other purse."""
    listed = tiers(tell)
    general = step["purse"] == tell.trace["purses"][0]["id"]
    values = {"amount": tell.money.amount(step["in"]), "rule": rule_words(tell, step)}
    if len(listed) == 1:
        if general:
            return tell.say("step_only", **values) if len(tell.trace["purses"]) > 1 else ""
        return tell.say("step_purse", purse=tell.name(step["purse"]), **values)
    number = next((index for index, tier in enumerate(listed, 1) if tier["id"] == step["tier"]), 0)
    values |= {
        "tier": step["tier"],
        "number": tell.money.number(number, 0),
        "count": tell.money.number(len(listed), 0),
    }
    if not general:
        return tell.say("step_purse_tier", purse=tell.name(step["purse"]), **values)
    return tell.say("step_tier", take=_take(tell, listed[number - 1]), **values)


def _take(tell: Teller, tier: Row) -> str:
    take = tier.get("take", {"rest": True})
    if "cents" in take:
        return tell.say("take_cents", quantity=tell.money.amount(take["cents"]))
    if "bp" in take:
        return tell.say(f"take_{take['of']}", quantity=tell.money.rate(take["bp"]))
    return tell.say("take_rest")
