"""Drives the client that openapi-python-client generated (package `pc`): declare, review, read. Run by contract.py."""

import datetime
import os

from pc import AuthenticatedClient
from pc.api.contributions import declare_contribution, list_contributions, read_contribution
from pc.api.reviews import review_contribution
from pc.models import DeclareContribution, DeclareContributionKind, Money, ReviewContribution, ReviewContributionVerdict

author, reviewer = (
    AuthenticatedClient(base_url=os.environ["TRONC"], token=os.environ[name], raise_on_unexpected_status=True)
    for name in ("AUTHOR", "REVIEWER")
)
work = DeclareContribution(
    budget=os.environ["BUDGET"],
    worked_on=datetime.date.fromisoformat(os.environ["DAY"]),
    kind=DeclareContributionKind.DEVELOPMENT,
    minutes=90,
    amount=Money(value=4500, currency="EUR"),
    description="Export of the atlas, by openapi-python-client",
    evidence=["https://example.org/atlas/12"],
)
made = declare_contribution.sync(client=author, body=work, idempotency_key="python-1")
again = declare_contribution.sync_detailed(client=author, body=work, idempotency_key="python-1")
assert again.parsed == made, (made, again)
assert again.headers["Idempotent-Replayed"] == "true"
said = review_contribution.sync(
    contribution_id=made.id,
    client=reviewer,
    body=ReviewContribution(verdict=ReviewContributionVerdict.APPROVE),
    idempotency_key="python-2",
)
assert (said.contribution_state, said.reviewer.name) == ("validated", "Sacha Le Goff"), said
read = read_contribution.sync(contribution_id=made.id, client=author)
assert (read.state, read.minutes, read.amount, read.settled_amount) == ("validated", 90, work.amount, None), read
assert [one.id for one in read.reviews] == [said.id]
listed = list_contributions.sync(client=author, budget=os.environ["BUDGET"], limit=1)
assert [one.id for one in listed.data] == [made.id]
refused = review_contribution.sync_detailed(
    contribution_id=made.id,
    client=author,
    body=ReviewContribution(verdict=ReviewContributionVerdict.APPROVE),
    idempotency_key="python-3",
)
assert refused.status_code == 403
assert refused.parsed.code in {"own_contribution", "not_allowed"}, refused.parsed
print(f"{made.id}: declared, reviewed, read")
