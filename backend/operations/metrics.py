"""What the database knows of the house, for /metrics: due rows, sweeps, mail, freeze, suspense. Read at each scrape."""

import time
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.db import DatabaseError, connection
from django.db.models import Count, Max, Min, QuerySet
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from backend.banking.models import BankLine
from backend.contributions.models import Contribution, ForgeDelivery
from backend.contributions.rounds import rounds_to_remind
from backend.core.models import SweepRun
from backend.core.origin import came_by
from backend.distributions.models import Distribution
from backend.events.models import Untold
from backend.events.sealing import unsealed
from backend.identity.tokens import tokens_to_warn
from backend.ledger.services import balances, entry_count, frozen, holds_due, last_seal
from backend.notifications.digests import digests_waiting
from backend.notifications.models import OutgoingMail
from backend.operations.host import due_accounts
from backend.operations.models import Backup, SelfCheckRun
from backend.operations.sweeps import SWEEPS
from backend.payments.asking import unseen_checkouts, unseen_subscriptions
from backend.payments.notices import waiting as notices_waiting
from backend.payments.operations import due_operations
from backend.payments.reconciling import unfinished
from backend.payments.surpluses import applicable
from backend.payouts.signing import changed_batches
from backend.pledges.calling import calls_waiting, reminders_waiting
from backend.privacy.models import Erasure

Due = tuple[int, datetime | None]


def _rows(rows: "QuerySet[Any]", since: str) -> Due:
    """How many rows there are, and since when the oldest waits."""
    found = rows.aggregate(count=Count("pk"), oldest=Min(since))
    return found["count"], found["oldest"]


# Sweep → how many rows are due at a moment, and since when; no date where the rows do not say.
QUEUES: dict[str, Callable[[datetime], Due]] = {
    "banking.match": lambda now: _rows(BankLine.objects.filter(state="new"), "statement__imported_at"),
    "contributions.accept_due": lambda now: _rows(
        Contribution.objects.filter(state="declared", accepted_at__lte=now), "accepted_at"
    ),
    "contributions.treat_forges": lambda now: _rows(ForgeDelivery.waiting(now), "received_at"),
    "contributions.remind_rounds": lambda now: _rows(rounds_to_remind(now), "opened_at"),
    "distributions.compute": lambda now: _rows(Distribution.objects.filter(state="frozen"), "prepared_at"),
    "events.seal": lambda now: _rows(unsealed(), "created_at"),
    "host.accounts": lambda now: _rows(due_accounts(now), "applies_at"),
    "identity.warn_of_tokens": lambda now: (tokens_to_warn(now).count(), None),
    "ledger.expire_holds": holds_due,
    "ledger.seal": lambda now: (entry_count() - last_seal().position, None),
    "notifications.compose": lambda now: _rows(Untold.objects.all(), "event__created_at"),
    "notifications.digest": lambda now: (digests_waiting(now).count(), None),
    "payouts.void_changed": lambda now: _rows(changed_batches(), "prepared_at"),
    "pledges.call_due": lambda now: (calls_waiting(now), None),
    "pledges.remind_due": lambda now: (reminders_waiting(now), None),
    "privacy.erase": lambda now: _rows(
        Erasure.objects.filter(done_at=None, withdrawn_at=None, due_at__lte=now), "due_at"
    ),
    "payments.apply_surpluses": lambda now: _rows(applicable(), "created_at"),
    "payments.ask_provider": lambda now: _rows(due_operations(now), "created_at"),
    "payments.poll_provider": lambda now: (unseen_checkouts(now).count() + unseen_subscriptions(now).count(), None),
    "payments.reconcile": lambda now: _rows(unfinished(now), "asked_at"),
    "payments.treat_notices": lambda now: _rows(notices_waiting(now), "received_at"),
    "notifications.send": lambda now: _rows(OutgoingMail.objects.filter(state="due", due_at__lte=now), "due_at"),
}
# Sweeps that look at everything each time: nothing waits for them.
WITHOUT_QUEUE = frozenset({"distributions.close_due", "operations.selfcheck", "exports.keep_names", "privacy.retain"})


def run_sweep(name: str, now: datetime) -> int:
    """Run one sweep and note how it went, in the database: it outlives the worker that ran it.

    Returns: how many rows were treated. Raises: KeyError for an unknown name; whatever the sweep raised.
    """
    sweep = SWEEPS[name]
    started = time.monotonic()
    treated, failed = 0, 1
    try:
        with came_by("task"):
            treated = sweep(now)
        failed = 0
    finally:
        try:
            _note(name, failed, treated, round((time.monotonic() - started) * 1000), now)
        except DatabaseError:
            if not failed:
                raise
    return treated


def _note(name: str, failed: int, treated: int, milliseconds: int, now: datetime) -> None:
    """Add one run to the counts of a sweep, in one statement: many workers do it at once."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO core_sweeprun AS known (name, runs, failures, rows, milliseconds, last_ended_at) "
            "VALUES (%(name)s, 1, %(failed)s, %(rows)s, %(ms)s, %(now)s) ON CONFLICT (name) DO UPDATE SET "
            "runs = known.runs + 1, failures = known.failures + excluded.failures, rows = known.rows + excluded.rows, "
            "milliseconds = known.milliseconds + excluded.milliseconds, last_ended_at = excluded.last_ended_at",
            {"name": name, "failed": failed, "rows": treated, "ms": milliseconds, "now": now},
        )


class _Database(Collector):
    """One reading of the database at a moment."""

    def __init__(self, now: datetime) -> None:
        """Keep the moment."""
        self.now = now

    def collect(self) -> Iterator[Metric]:
        """The families, in the order of the page."""
        yield from self._queues()
        yield from self._runs()
        yield from self._mail()
        yield from self._money()
        yield from self._safety()

    def _since(self, moment: datetime) -> float:
        return max(0, (self.now - moment).total_seconds())

    def _queues(self) -> Iterator[Metric]:
        due = GaugeMetricFamily("tronc_due_rows", "Rows that a sweep has still to treat.", labels=["sweep"])
        age = GaugeMetricFamily(
            "tronc_due_oldest_seconds", "How long the oldest of these rows has waited; 0 without any.", labels=["sweep"]
        )
        for sweep, due_at in QUEUES.items():
            count, oldest = due_at(self.now)
            due.add_metric([sweep], count)
            if oldest is not None or not count:
                age.add_metric([sweep], self._since(oldest) if oldest else 0)
        yield from (due, age)

    def _runs(self) -> Iterator[Metric]:
        runs = CounterMetricFamily("tronc_sweep_runs", "Runs of a sweep, failed ones included.", labels=["sweep"])
        failures = CounterMetricFamily("tronc_sweep_failures", "Runs that ended by an error.", labels=["sweep"])
        rows = CounterMetricFamily("tronc_sweep_rows", "Rows treated.", labels=["sweep"])
        spent = CounterMetricFamily("tronc_sweep_seconds", "Time spent in a sweep.", labels=["sweep"])
        quiet = GaugeMetricFamily(
            "tronc_sweep_last_run_seconds", "How long ago the last run of a sweep ended.", labels=["sweep"]
        )
        for run in SweepRun.objects.filter(name__in=SWEEPS):
            runs.add_metric([run.name], run.runs)
            failures.add_metric([run.name], run.failures)
            rows.add_metric([run.name], run.rows)
            spent.add_metric([run.name], run.milliseconds / 1000)
            quiet.add_metric([run.name], self._since(run.last_ended_at))
        yield from (runs, failures, rows, spent, quiet)

    def _mail(self) -> Iterator[Metric]:
        mail = GaugeMetricFamily("tronc_mail_messages", "Messages of the outbox by state.", labels=["state"])
        counts = dict(OutgoingMail.objects.values_list("state").annotate(Count("pk")))
        for state, _label in OutgoingMail.STATES:
            mail.add_metric([state], counts.get(state, 0))
        yield mail

    def _money(self) -> Iterator[Metric]:
        yield GaugeMetricFamily("tronc_payouts_frozen", "1 while payouts are frozen.", value=int(frozen() is not None))
        suspense = GaugeMetricFamily(
            "tronc_suspense_minor_units", "Money received that nobody identified yet.", labels=["currency"]
        )
        totals: dict[str, int] = {}
        for (_owner, currency), amount in balances(kind="suspense").items():
            totals[currency] = totals.get(currency, 0) + amount
        for currency, amount in sorted(totals.items()):
            suspense.add_metric([currency], amount)
        yield suspense

    def _safety(self) -> Iterator[Metric]:
        """Absent until it happened once: an alert on absence finds what was never set up."""
        backup = GaugeMetricFamily("tronc_last_backup_seconds", "Age of what the last backup holds.")
        # The one from which this instance was restored is one, as the status page says.
        last = Backup.objects.aggregate(last=Max("taken_at"))["last"]
        if last is not None:
            backup.add_metric([], self._since(last))
        checked = GaugeMetricFamily("tronc_selfcheck_last_run_seconds", "How long ago the books were last checked.")
        well = GaugeMetricFamily("tronc_selfcheck_ok", "1 when the last check found nothing.")
        run = SelfCheckRun.objects.order_by("-started_at").first()
        if run is not None:
            checked.add_metric([], self._since(run.ended_at))
            well.add_metric([], int(run.ok))
        yield from (backup, checked, well)


def read_from_database(now: datetime) -> bytes:
    """What the database says at this moment, as Prometheus reads it; raises django.db.Error when it is away."""
    registry = CollectorRegistry()
    registry.register(_Database(now))
    return generate_latest(registry)
