"""A commons is proposed, opened, hidden, refused or archived; its public texts can be withdrawn. Old rows are open."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

USER = settings.AUTH_USER_MODEL
# What is withdrawn stays as it was said; it is lifted once.
GUARDS = """
CREATE FUNCTION commons_moderation_is_kept() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% on % is refused: it is lifted, never changed', TG_OP, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'moderation_is_kept';
END $$;
CREATE TRIGGER moderation_is_only_lifted BEFORE UPDATE ON commons_moderation
    FOR EACH ROW WHEN (OLD.lifted_at IS NOT NULL
        OR (OLD.subject, OLD.field, OLD.reason, OLD.appeal_to, OLD.moderated_by_id, OLD.moderated_at)
            IS DISTINCT FROM (NEW.subject, NEW.field, NEW.reason, NEW.appeal_to, NEW.moderated_by_id, NEW.moderated_at))
    EXECUTE FUNCTION commons_moderation_is_kept();
CREATE TRIGGER moderation_is_kept BEFORE DELETE OR TRUNCATE ON commons_moderation
    FOR EACH STATEMENT EXECUTE FUNCTION commons_moderation_is_kept();
REVOKE DELETE, TRUNCATE ON commons_moderation FROM tronc_app;
"""


class Migration(migrations.Migration):
    """A commons is proposed, opened, hidden, refused or archived; its public texts can be withdrawn."""

    dependencies: ClassVar = [
        ("commons", "0005_charter_of_period"),
        migrations.swappable_dependency(USER),
    ]
    operations: ClassVar = [
        migrations.AddField(
            "commons",
            "state",
            models.CharField(
                choices=[
                    ("proposed", "proposed"),
                    ("open", "open"),
                    ("hidden", "withdrawn from the public"),
                    ("refused", "refused"),
                    ("withdrawn", "taken back"),
                    ("archived", "archived"),
                ],
                db_default="open",
                default="open",
                max_length=12,
            ),
        ),
        migrations.AddField(
            "commons",
            "proposed_by",
            models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=USER),
        ),
        migrations.AddField("commons", "why", models.CharField(blank=True, db_default="", default="", max_length=1000)),
        migrations.AddField(
            "commons", "steward_name", models.CharField(blank=True, db_default="", default="", max_length=120)
        ),
        migrations.AddField(
            "commons", "steward_email", models.EmailField(blank=True, db_default="", default="", max_length=254)
        ),
        migrations.AddField(
            "commons",
            "decided_by",
            models.ForeignKey(null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=USER),
        ),
        migrations.AddField("commons", "decided_at", models.DateTimeField(null=True)),
        migrations.AddField(
            "commons", "reason", models.CharField(blank=True, db_default="", default="", max_length=500)
        ),
        migrations.AddField(
            "commons", "appeal_to", models.EmailField(blank=True, db_default="", default="", max_length=254)
        ),
        migrations.AddIndex("commons", models.Index(fields=["state", "name"], name="commons_state_name")),
        migrations.AddConstraint(
            "commons",
            models.CheckConstraint(
                condition=Q(("decided_by", F("proposed_by")), _negated=True), name="commons_decided_by_another"
            ),
        ),
        migrations.AddConstraint(
            "commons",
            models.CheckConstraint(
                condition=~Q(state__in=["hidden", "refused", "archived"])
                | (Q(decided_by__isnull=False, decided_at__isnull=False) & ~Q(reason="")),
                name="commons_closed_with_a_reason",
            ),
        ),
        migrations.AddConstraint(
            "commons",
            models.CheckConstraint(
                condition=~Q(state__in=["proposed", "withdrawn"]) | Q(proposed_by__isnull=False),
                name="commons_proposed_by_somebody",
            ),
        ),
        migrations.AddConstraint(
            "commons",
            models.CheckConstraint(condition=~Q(state="hidden") | ~Q(appeal_to=""), name="commons_hidden_with_appeal"),
        ),
        migrations.CreateModel(
            name="Moderation",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("subject", models.CharField(max_length=48)),
                (
                    "field",
                    models.CharField(
                        choices=[
                            ("name", "the name"),
                            ("summary", "the summary"),
                            ("website", "the website"),
                            ("description", "the description of the work"),
                            ("public_name", "the public name"),
                        ],
                        max_length=16,
                    ),
                ),
                ("reason", models.CharField(max_length=500)),
                ("appeal_to", models.EmailField(max_length=254)),
                ("moderated_at", models.DateTimeField()),
                ("lifted_at", models.DateTimeField(null=True)),
                (
                    "lifted_by",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=USER
                    ),
                ),
                (
                    "moderated_by",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to=USER),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("subject", "field"), condition=Q(lifted_at=None), name="text_withdrawn_once"
                    ),
                    models.CheckConstraint(condition=Q(("reason", ""), _negated=True), name="moderation_has_a_reason"),
                    models.CheckConstraint(
                        condition=Q(lifted_at=None, lifted_by=None)
                        | Q(lifted_at__isnull=False, lifted_by__isnull=False),
                        name="moderation_lifted_by_somebody",
                    ),
                ],
            },
        ),
        migrations.RunSQL(GUARDS, migrations.RunSQL.noop),
    ]
