"""A charter is one document; a period names the version that holds for it. Old rows become documents that say the same."""

import hashlib
import json

import django.db.models.deletion
from django.db import migrations, models

# What the columns could say is in `_document`; what they could not is what the service did when they were written.
KINDS = ["development", "review", "documentation", "design", "support", "facilitation"]
# The statement-level trigger refuses every change of a version, the owner's too; it sleeps for this migration alone.
SLEEP = """
ALTER TABLE commons_charter DISABLE TRIGGER charter_version_is_final;
ALTER TABLE commons_period DISABLE TRIGGER booked_period_is_final;
"""
WAKE = """
ALTER TABLE commons_charter ENABLE TRIGGER charter_version_is_final;
ALTER TABLE commons_period ENABLE TRIGGER booked_period_is_final;
"""
# A period that was closed keeps the version it was closed under; the others, the version in force.
PERIODS = """
UPDATE commons_period AS period SET charter_id = COALESCE(
    (SELECT distribution.charter_id FROM distributions_distribution AS distribution
      WHERE distribution.period_id = period.id),
    (SELECT charter.id FROM commons_charter AS charter
      WHERE charter.budget_id = period.budget_id ORDER BY charter.version DESC LIMIT 1));
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
"""
# What the columns' constraints said, said of the document.
CHECKS = """
ALTER TABLE commons_charter
    ADD CONSTRAINT charter_has_tiers CHECK (jsonb_array_length(document -> 'tiers') > 0),
    ADD CONSTRAINT charter_wants_an_approval CHECK ((document -> 'review' ->> 'approvals')::bigint >= 1),
    ADD CONSTRAINT charter_cap_positive CHECK ((document ->> 'hard_cap')::bigint > 0),
    ADD CONSTRAINT charter_threshold_not_negative CHECK ((document ->> 'transfer_threshold')::bigint >= 0),
    ADD CONSTRAINT charter_digest CHECK (sha256 ~ '^[0-9a-f]{64}$');
"""


def _document(charter):
    return {
        "format": 1,
        "tiers": [
            {"id": "general", "rule": charter.rule, "kinds": None, "take": {"rest": True}, "reimburses": False},
        ],
        "kinds": dict.fromkeys(KINDS, 1000),
        "minutes_a_day": 420,
        "decay_ppm": [1000000],
        "catch_up_periods": None,
        "bounds": {"floor": 0, "ceiling": None, "ceiling_bp": None, "hourly_cap": None},
        "cut_claims_at_pot": False,
        "soft_cap": None,
        "hard_cap": charter.hard_cap,
        "reserve": {"bp": 0, "target": None},
        "upstream": [],
        "min_edge": 100,
        "earmarks": {"weights": "add", "leftover": "hold"},
        "minimum_payout": 0,
        "unpaid": {"carry_periods": 0},
        "review": {"mode": "approvals", "approvals": charter.approvals},
        "objections": {"settled_by": 1},
        "period": None,
        "publication_days": 0,
        "transfer_threshold": charter.transfer_threshold,
        "declare": "members",
    }


def write_documents(apps, schema_editor):
    """Each old version becomes the document that says what its columns said."""
    charters = apps.get_model("commons", "Charter").objects
    for charter in charters.iterator():
        document = _document(charter)
        text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        charters.filter(pk=charter.pk).update(document=document, sha256=hashlib.sha256(text.encode()).hexdigest())


class Migration(migrations.Migration):
    dependencies = [("commons", "0003_transfer_threshold"), ("distributions", "0001_initial")]

    operations = [
        migrations.RunSQL(SLEEP, WAKE),
        migrations.AddField("charter", "document", models.JSONField(null=True)),
        migrations.AddField("charter", "sha256", models.CharField(max_length=64, default="")),
        migrations.AddField(
            "period",
            "charter",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="periods",
                to="commons.charter",
            ),
        ),
        migrations.RunPython(write_documents, migrations.RunPython.noop),
        migrations.RunSQL(PERIODS, migrations.RunSQL.noop),
        migrations.AlterField("charter", "document", models.JSONField()),
        migrations.AlterField("charter", "sha256", models.CharField(max_length=64)),
        migrations.AlterField(
            "period",
            "charter",
            models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="periods", to="commons.charter"
            ),
        ),
        migrations.RemoveConstraint("charter", "charter_wants_an_approval"),
        migrations.RemoveConstraint("charter", "charter_cap_positive"),
        migrations.RemoveConstraint("charter", "charter_threshold_not_negative"),
        migrations.RemoveField("charter", "rule"),
        migrations.RemoveField("charter", "approvals"),
        migrations.RemoveField("charter", "hard_cap"),
        migrations.RemoveField("charter", "transfer_threshold"),
        migrations.RunSQL(CHECKS, migrations.RunSQL.noop),
        migrations.RunSQL(WAKE, SLEEP),
    ]
