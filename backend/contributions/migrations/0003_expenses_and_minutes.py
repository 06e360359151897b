"""Expenses, reasons above the soft cap, minutes that reviewers validate, remainders carried into the next period."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import F, Q

# Requests that were validated before the moment was kept: that of the approval that validated them.
MOMENTS = """
UPDATE contributions_contribution AS contribution SET validated_at = (
    SELECT max(review.created_at) FROM contributions_review AS review
     WHERE review.contribution_id = contribution.id AND review.verdict = 'approve')
 WHERE contribution.state IN ('validated', 'included', 'settled', 'waived');
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""
KINDS = [
    ("development", "development"),
    ("review", "review"),
    ("documentation", "documentation"),
    ("design", "design"),
    ("support", "support"),
    ("facilitation", "facilitation"),
    ("expense", "expense"),
]


class Migration(migrations.Migration):
    dependencies = [("contributions", "0002_guards"), ("commons", "0004_charter_documents")]

    operations = [
        migrations.AlterField("contribution", "kind", models.CharField(choices=KINDS, max_length=16)),
        migrations.AddField(
            "contribution", "over_cap_reason", models.CharField(blank=True, default="", max_length=500)
        ),
        migrations.AlterField("contribution", "over_cap_reason", models.CharField(blank=True, max_length=500)),
        migrations.AddField("contribution", "validated_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "contribution",
            "remainder_of",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="remainders",
                to="contributions.contribution",
            ),
        ),
        migrations.AddField("review", "minutes", models.PositiveIntegerField(null=True)),
        migrations.RunSQL(MOMENTS, migrations.RunSQL.noop),
        migrations.RemoveConstraint("contribution", "contribution_settled_within_request"),
        migrations.AddConstraint(
            "contribution",
            models.CheckConstraint(
                condition=Q(settled_amount=None) | Q(settled_amount__gte=0), name="contribution_settled_not_negative"
            ),
        ),
        migrations.AddConstraint(
            "contribution",
            models.CheckConstraint(
                condition=~Q(kind="expense") | Q(minutes=0, amount__gt=0), name="expense_is_an_amount_alone"
            ),
        ),
        migrations.AddConstraint(
            "contribution", models.CheckConstraint(condition=~Q(remainder_of=F("id")), name="remainder_of_another")
        ),
        migrations.AddConstraint(
            "review",
            models.CheckConstraint(condition=Q(minutes=None) | Q(verdict="approve"), name="minutes_of_an_approval"),
        ),
    ]
