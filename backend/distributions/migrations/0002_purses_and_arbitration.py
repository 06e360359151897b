"""Shares by purse, moves between purses, publication and arbitration. Old rows get one part each, and say the same."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

# What came into a pot between two closings, by when it was booked: what the frozen inputs say from now on.
RECEIPTS = """
SELECT count(*) FILTER (WHERE entry.kind = 'payment.received'), coalesce(-sum(found.pot), 0), coalesce(-sum(found.fee), 0)
  FROM (SELECT posting.entry_id,
               sum(posting.amount) FILTER (WHERE account.owner = %(owner)s AND account.kind IN ('budget', 'deficit')) AS pot,
               coalesce(sum(posting.amount) FILTER (WHERE account.kind = 'host_fees'), 0) AS fee
          FROM ledger_posting posting JOIN ledger_account account ON account.id = posting.account_id
         GROUP BY posting.entry_id) found
  JOIN ledger_journalentry entry ON entry.id = found.entry_id
 WHERE found.pot IS NOT NULL AND entry.kind IN ('payment.received', 'payment.taken_back')
   AND entry.booked_at <= %(until)s AND (%(since)s::timestamptz IS NULL OR entry.booked_at > %(since)s)
"""
DEFERRED = "SET CONSTRAINTS ALL IMMEDIATE; SET CONSTRAINTS ALL DEFERRED;"


def carry_over(apps, schema_editor):
    """Write the inputs of old distributions in the new form; what is not approved yet is computed again."""
    distributions = apps.get_model("distributions", "Distribution").objects
    shares = apps.get_model("distributions", "Share").objects
    parts = apps.get_model("distributions", "SharePart").objects
    contributions = apps.get_model("contributions", "Contribution").objects
    last = {}
    for row in distributions.select_related("period").order_by("prepared_at", "id"):
        budget = row.period.budget_id
        named = contributions.in_bulk([one["contribution"] for one in row.inputs])
        with schema_editor.connection.cursor() as cursor:
            cursor.execute(RECEIPTS, {"owner": budget, "since": last.get(budget), "until": row.prepared_at})
            count, net, fees = cursor.fetchone()
        last[budget] = row.prepared_at
        receipt = {"kind": "payment.received", "count": count, "gross": int(net + fees), "fees": int(fees)}
        row.inputs = {
            "purses": [
                {"id": budget, "parent": None, "held": row.pot, "receipts": [receipt] if count or net else [], "reserve": 0}
            ],
            "lines": [
                {
                    "contribution": one["contribution"], "person": one["person"],
                    "purse": named[one["contribution"]].budget_id, "kind": named[one["contribution"]].kind,
                    "declared": named[one["contribution"]].minutes, "validated": named[one["contribution"]].minutes,
                    "validators": 1, "claim": one["claim"], "rank": rank, "age": 0,
                }
                for rank, one in enumerate(row.inputs, start=1)
            ],
            "counted": {}, "history": [], "owed": {},
        }  # fmt: skip
        if row.state == "booked":
            row.published_at = row.prepared_at
            parts.bulk_create(
                parts.model(share=share, budget_id=budget, amount=share.amount)
                for share in shares.filter(distribution=row, amount__gt=0)
            )
        elif row.state == "published":
            shares.filter(distribution=row).delete()
            row.state, row.trace, row.digest = "frozen", None, ""
            row.period.state = "frozen"
            row.period.save(update_fields=["state"])
        row.save(update_fields=["inputs", "published_at", "state", "trace", "digest"])


def _person(**more):
    return models.ForeignKey(
        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL, **more
    )


def _budget():
    return models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="commons.budget")


def _key():
    return models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")


class Migration(migrations.Migration):
    dependencies = [
        ("distributions", "0001_initial"),
        ("commons", "0004_charter_documents"),
        ("contributions", "0003_expenses_and_minutes"),
        ("ledger", "0008_log"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField("distribution", "published_at", models.DateTimeField(null=True)),
        migrations.RemoveConstraint("share", "share_within_request"),
        migrations.CreateModel(
            name="SharePart",
            fields=[
                ("id", _key()),
                ("amount", models.BigIntegerField()),
                ("budget", _budget()),
                (
                    "share",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="parts", to="distributions.share"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["share", "budget"], name="one_part_per_purse"),
                    models.CheckConstraint(condition=Q(amount__gt=0), name="share_part_positive"),
                ]
            },
        ),
        migrations.CreateModel(
            name="DistributionMove",
            fields=[
                ("id", _key()),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("upstream", "to a project it depends on"),
                            ("reserve", "to the reserve"),
                            ("release", "from an envelope back to the budget above"),
                        ],
                        max_length=8,
                    ),
                ),
                ("amount", models.BigIntegerField()),
                (
                    "distribution",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="moves",
                        to="distributions.distribution",
                    ),
                ),
                ("source", _budget()),
                ("target", _budget()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["distribution", "kind", "source", "target"], name="one_move_of_a_kind"
                    ),
                    models.CheckConstraint(condition=Q(amount__gt=0), name="distribution_move_positive"),
                    models.CheckConstraint(
                        condition=(Q(kind="reserve") & Q(source=F("target")))
                        | (~Q(kind="reserve") & ~Q(source=F("target"))),
                        name="distribution_move_between_two_purses",
                    ),
                ]
            },
        ),
        migrations.CreateModel(
            name="Arbitration",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("digest", models.CharField(max_length=64)),
                ("reason", models.CharField(max_length=500)),
                ("entered_at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "awaiting the answers"),
                            ("accepted", "accepted by all"),
                            ("refused", "refused"),
                            ("withdrawn", "withdrawn"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("ended_at", models.DateTimeField(null=True)),
                ("form_key", models.CharField(max_length=64)),
                (
                    "distribution",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="arbitrations",
                        to="distributions.distribution",
                    ),
                ),
                ("entered_by", _person()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=["entered_by", "form_key"], name="one_arbitration_per_form"),
                    models.UniqueConstraint(
                        condition=Q(state="waiting"), fields=["distribution"], name="one_arbitration_at_a_time"
                    ),
                    models.CheckConstraint(
                        condition=Q(state="waiting") ^ Q(ended_at__isnull=False), name="arbitration_ended_at_some_time"
                    ),
                ]
            },
        ),
        migrations.CreateModel(
            name="ArbitrationLine",
            fields=[
                ("id", _key()),
                ("before", models.BigIntegerField()),
                ("agreed", models.BigIntegerField()),
                (
                    "answer",
                    models.CharField(
                        blank=True,
                        choices=[("", "awaiting the answer"), ("accepted", "accepted"), ("refused", "refused")],
                        default="",
                        max_length=8,
                    ),
                ),
                ("answer_reason", models.CharField(blank=True, max_length=500)),
                ("answered_at", models.DateTimeField(null=True)),
                (
                    "arbitration",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="lines",
                        to="distributions.arbitration",
                    ),
                ),
                ("budget", _budget()),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="arbitration_lines",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("recorded_by", _person(null=True)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["arbitration", "person", "budget"], name="one_agreed_amount_per_purse"
                    ),
                    models.CheckConstraint(
                        condition=Q(agreed__gte=0, before__gte=0), name="agreed_amount_not_negative"
                    ),
                    models.CheckConstraint(condition=~Q(agreed=F("before")), name="agreed_amount_changes_something"),
                    models.CheckConstraint(
                        condition=Q(answer="") ^ Q(answered_at__isnull=False), name="arbitration_answered_at_some_time"
                    ),
                ]
            },
        ),
        migrations.RunPython(carry_over, migrations.RunPython.noop),
        migrations.RunSQL(DEFERRED, migrations.RunSQL.noop),
        migrations.AddConstraint(
            "share",
            models.CheckConstraint(condition=Q(amount__gte=0, asked__gte=0), name="share_not_negative"),
        ),
        migrations.AddConstraint(
            "distribution",
            models.CheckConstraint(
                condition=Q(state="frozen") ^ Q(published_at__isnull=False),
                name="distribution_published_at_some_time",
            ),
        ),
    ]
