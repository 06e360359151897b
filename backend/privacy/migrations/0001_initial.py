"""What people accepted, erasures, runs of the retention job; what was accepted stays as it is."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SQL = """
-- Who accepted what, and who was erased, are proofs: the application adds to them.
REVOKE UPDATE, DELETE, TRUNCATE ON privacy_acceptance FROM tronc_app;
REVOKE DELETE, TRUNCATE ON privacy_erasure FROM tronc_app;

-- Reviews are never changed, but for the name of a person inside their reasons, while that person is being erased.
CREATE FUNCTION privacy_forget_in_reviews(person text, word text, shown text) RETURNS void LANGUAGE plpgsql
    SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    IF word = '' OR shown = '' OR NOT EXISTS (
        SELECT FROM privacy_erasure WHERE user_id = person AND withdrawn_at IS NULL AND done_at IS NULL
    ) THEN
        RAISE EXCEPTION 'no erasure of % waits', person
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'review_is_kept';
    END IF;
    UPDATE contributions_review SET reason = left(replace(reason, word, shown), 500)
     WHERE (contributor_id = person OR reviewer_id = person) AND strpos(reason, word) > 0;
END $$;
REVOKE ALL ON FUNCTION privacy_forget_in_reviews(text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION privacy_forget_in_reviews(text, text, text) TO tronc_app;
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
        ("contributions", "0006_recorded"),
        ("identity", "0006_proposals"),
    ]

    operations = [
        migrations.CreateModel(
            name="RetentionRun",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("ran_at", models.DateTimeField()),
                ("removed", models.JSONField(default=dict)),
            ],
        ),
        migrations.CreateModel(
            name="Acceptance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "document",
                    models.CharField(choices=[("terms", "terms of use"), ("privacy", "privacy notice")], max_length=8),
                ),
                ("version", models.CharField(max_length=10)),
                ("accepted_at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="acceptances",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("user", "document", "version"), name="accepted_once"),
                    models.CheckConstraint(
                        condition=models.Q(("document__in", ["terms", "privacy"])), name="acceptance_of_a_known_notice"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Erasure",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("asked", "asked by the person"),
                            ("letter", "asked by letter or mail"),
                            ("inactive", "account without use"),
                            ("unused", "account never opened"),
                        ],
                        max_length=8,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("asked_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("hindered_by", models.CharField(blank=True, max_length=40)),
                ("withdrawn_at", models.DateTimeField(null=True)),
                ("done_at", models.DateTimeField(null=True)),
                (
                    "asked_by",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="erasures",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("done_at", None), ("withdrawn_at", None)),
                        fields=["due_at"],
                        name="erasure_due",
                    )
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("done_at", None), ("withdrawn_at", None)),
                        fields=("user",),
                        name="one_erasure_awaited",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("done_at__isnull", False)), fields=("user",), name="erased_once"
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("withdrawn_at", None), ("done_at", None), _connector="OR"),
                        name="erasure_ends_one_way",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("cause__in", ["asked", "letter", "inactive", "unused"])),
                        name="erasure_cause_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("cause", "letter"), _negated=True),
                            models.Q(("reason", ""), _negated=True),
                            _connector="OR",
                        ),
                        name="erasure_by_letter_has_a_reason",
                    ),
                ],
            },
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
