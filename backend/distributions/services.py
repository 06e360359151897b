"""The doors of distributions: what other apps may call."""

from backend.distributions.arbitration import answer_arbitration, propose_arbitration, withdraw_arbitration
from backend.distributions.automatic import close_due, failed_to_close
from backend.distributions.booking import approvable_from, approval_hindrance, approve, owed_to, sound
from backend.distributions.closing import close_period, compute_due, computed, settled_lines
from backend.distributions.estimate import Estimate, estimate
from backend.distributions.objections import (
    MAX_REASON,
    decide_distribution_objection,
    lift_distribution_objection,
    may_object,
    may_settle,
    object_to_distribution,
)
from backend.distributions.simulation import simulate
from backend.distributions.snapshot import about_to_be_shared, about_to_receive, committed, last_day, shareable
from backend.distributions.waiving import goes_back, waive_share, waiving_hindrance

__all__ = [
    "MAX_REASON",
    "Estimate",
    "about_to_be_shared",
    "about_to_receive",
    "answer_arbitration",
    "approvable_from",
    "approval_hindrance",
    "approve",
    "close_due",
    "close_period",
    "committed",
    "compute_due",
    "computed",
    "decide_distribution_objection",
    "estimate",
    "failed_to_close",
    "goes_back",
    "last_day",
    "lift_distribution_objection",
    "may_object",
    "may_settle",
    "object_to_distribution",
    "owed_to",
    "propose_arbitration",
    "settled_lines",
    "shareable",
    "simulate",
    "sound",
    "waive_share",
    "waiving_hindrance",
    "withdraw_arbitration",
]  # fmt: skip
