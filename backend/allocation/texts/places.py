"""Where the money of a closing came from and went before the rules, and the name of each step."""

from backend.allocation.texts.words import Row, Teller, capitalised, tiers


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


def place(tell: Teller, step: Row) -> str:
    """`General budget, tier 1 of 2, “expenses”`: the purse, and the tier when the charter has several."""
    purse = "general" if step["purse"] == tell.trace["purses"][0]["id"] else "purse"
    if len(tiers(tell)) == 1:
        return tell.say(f"place_{purse}", purse=tell.name(step["purse"]))
    phrase = "place_tier" if purse == "general" else "place_purse_tier"
    return tell.say(phrase, purse=tell.name(step["purse"]), **_numbered(tell, step))


def _numbered(tell: Teller, step: Row) -> dict[str, str]:
    """The number, the count and the id of a step's tier."""
    listed = tiers(tell)
    number = next((index for index, tier in enumerate(listed, 1) if tier["id"] == step["tier"]), 0)
    written = tell.money.number
    return {"number": written(number, 0), "count": written(len(listed), 0), "tier": step["tier"]}


def rule_words(tell: Teller, step: Row) -> str:
    """What a step's rule does in a few words: the charter's rule, whatever was run to offset earmarked pay."""
    rule = next((tier["rule"] for tier in tiers(tell) if tier["id"] == step["tier"]), step["rule"])
    return tell.say(f"rule_{rule}")


def heading(tell: Teller, step: Row) -> str:
    """Which money this is and which rule; empty where the general budget has one tier and there is no other purse."""
    general = step["purse"] == tell.trace["purses"][0]["id"]
    values = {"amount": tell.money.amount(step["in"]), "rule": rule_words(tell, step)}
    if len(tiers(tell)) == 1 and not takes_a_part(tell, step):
        if general:
            return tell.say("step_only", **values) if len(tell.trace["purses"]) > 1 else ""
        return tell.say("step_purse", purse=tell.name(step["purse"]), **values)
    values |= {"take": take_words(tell, step), **_numbered(tell, step)}
    if not general:
        return tell.say("step_purse_tier", purse=tell.name(step["purse"]), **values)
    return tell.say("step_tier", **values)


def takes_a_part(tell: Teller, step: Row) -> bool:
    """Whether the step's tier leaves something out of what it takes."""
    return "rest" not in _take(tell, step)


def take_words(tell: Teller, step: Row) -> str:
    """`30% of the 468.00 left`: what a step's tier takes, and of what."""
    take = _take(tell, step)
    if "cents" in take:
        return tell.say("take_cents", quantity=tell.money.amount(take["cents"]))
    if "bp" not in take:
        return tell.say("take_rest")
    whole, left = _before(tell, step)
    base = whole if take["of"] == "whole" else left
    words = tell.say(f"take_{take['of']}", quantity=tell.money.rate(take["bp"]), base=tell.money.number(base))
    return tell.say("take_short", take=words) if step["in"] < base * take["bp"] // 10_000 else words


def left_after(tell: Teller, step: Row) -> int:
    """What a step leaves in its purse for the next tier, minor units."""
    given: int = sum(one["cents"] for one in step["persons"])
    return _before(tell, step)[1] - given


def _take(tell: Teller, step: Row) -> Row:
    tier: Row = next((tier for tier in tiers(tell) if tier["id"] == step["tier"]), {})
    take: Row = tier.get("take", {"rest": True})
    return take


def _before(tell: Teller, step: Row) -> tuple[int, int]:
    """What the purse of a step had to share, and what its earlier tiers left, minor units."""
    general = tell.trace["purses"][0]["id"]
    purse = next(one for one in tell.trace["purses"] if one["id"] == step["purse"])
    # What moves out of an envelope is released at the end, after its tiers.
    whole = purse["held"] + purse["moved_in"] - (purse["moved_out"] if purse["id"] == general else 0)
    left = whole
    for earlier in tell.trace["steps"]:
        if earlier["id"] == step["id"]:
            break
        if earlier["purse"] == purse["id"]:
            left -= sum(one["cents"] for one in earlier["persons"])
    return whole, left
