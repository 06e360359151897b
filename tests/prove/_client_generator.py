"""Drives the client that openapi-generator made (package `openapi_client`): declare, review, read; see contract.py."""

import datetime
import os

import openapi_client
from openapi_client.models import DeclareContribution, Money, ReviewContribution


def program(token: str) -> openapi_client.ApiClient:
    """A program of the person whose token it is."""
    held = openapi_client.Configuration(host=os.environ["TRONC"], access_token=os.environ[token])
    return openapi_client.ApiClient(held)


author = openapi_client.ContributionsApi(program("AUTHOR"))
reviewer, own = (openapi_client.ReviewsApi(program(name)) for name in ("REVIEWER", "AUTHOR"))
work = DeclareContribution(
    budget=os.environ["BUDGET"],
    worked_on=datetime.date.fromisoformat(os.environ["DAY"]),
    kind="development",
    minutes=60,
    amount=Money(value=3000, currency="EUR"),
    description="Export of the atlas, by openapi-generator",
    evidence=["https://example.org/atlas/13"],
)
made = author.declare_contribution("generator-1", work)
again = author.declare_contribution_with_http_info("generator-1", work)
assert again.data == made, (made, again)
assert again.headers["Idempotent-Replayed"] == "true"
said = reviewer.review_contribution(made.id, "generator-2", ReviewContribution(verdict="approve"))
assert (said.contribution_state, said.reviewer.name) == ("validated", "Sacha Le Goff"), said
read = author.read_contribution(made.id)
assert (read.state, read.minutes, read.amount.value, read.settled_amount) == ("validated", 60, 3000, None), read
assert [one.id for one in read.reviews] == [said.id]
listed = author.list_contributions(budget=os.environ["BUDGET"], limit=1)
assert [one.id for one in listed.data] == [made.id]
refused = None
try:
    own.review_contribution(made.id, "generator-3", ReviewContribution(verdict="approve"))
except openapi_client.exceptions.ForbiddenException as refusal:
    refused = refusal.data.code
assert refused in {"own_contribution", "not_allowed"}, refused
print(f"{made.id}: declared, reviewed, read")
