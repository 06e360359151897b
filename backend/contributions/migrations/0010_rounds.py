"""Statement rounds and what people answered; what was asked is not rewritten."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SQL = """
REVOKE DELETE, UPDATE, TRUNCATE ON contributions_round, contributions_roundanswer FROM tronc_app;
GRANT UPDATE (reminded_at, closed_at, closed_by_id) ON contributions_round TO tronc_app;
GRANT UPDATE (state, listed, answered_at) ON contributions_roundanswer TO tronc_app;
"""


class Migration(migrations.Migration):
    """Two tables, and what of them may change."""

    dependencies = [
        ("commons", "0008_provider"),
        ("contributions", "0009_forges"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Round",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("first_day", models.DateField()),
                ("last_day", models.DateField()),
                ("answer_by", models.DateField()),
                ("form_key", models.CharField(max_length=64)),
                ("opened_at", models.DateTimeField()),
                ("reminded_at", models.DateTimeField(null=True)),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "budget",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="rounds", to="commons.budget"
                    ),
                ),
                (
                    "closed_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "opened_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="RoundAnswer",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                (
                    "state",
                    models.CharField(
                        blank=True,
                        choices=[("", "no answer yet"), ("complete", "complete"), ("missing", "something is missing")],
                        max_length=8,
                    ),
                ),
                ("listed", models.CharField(blank=True, max_length=64)),
                ("answered_at", models.DateTimeField(null=True)),
                (
                    "person",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="round_answers",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "round",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="answers", to="contributions.round"
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="round",
            constraint=models.CheckConstraint(
                condition=models.Q(("first_day__lte", models.F("last_day"))), name="round_of_some_days"
            ),
        ),
        migrations.AddConstraint(
            model_name="round",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("closed_at", None), ("closed_by", None)),
                    models.Q(("closed_at__isnull", False), ("closed_by__isnull", False)),
                    _connector="OR",
                ),
                name="round_closed_by_somebody",
            ),
        ),
        migrations.AddConstraint(
            model_name="round",
            constraint=models.UniqueConstraint(
                condition=models.Q(("closed_at", None)), fields=("budget",), name="one_open_round_per_budget"
            ),
        ),
        migrations.AddConstraint(
            model_name="round",
            constraint=models.UniqueConstraint(fields=("opened_by", "form_key"), name="one_round_per_form"),
        ),
        migrations.AddConstraint(
            model_name="roundanswer",
            constraint=models.UniqueConstraint(fields=("round", "person"), name="one_answer_per_person"),
        ),
        migrations.AddConstraint(
            model_name="roundanswer",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("answered_at", None), ("listed", ""), ("state", "")),
                    models.Q(
                        ("answered_at__isnull", False),
                        ("state__in", ["complete", "missing"]),
                        models.Q(("listed", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="round_answer_is_whole",
            ),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
