"""Details, limits and merges of organisations; what was recorded on behalf of somebody."""

from typing import ClassVar

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models
from django.db.models import F, Q

# A recording is a fact: only its answer can be added, and what tells of a person be erased.
SQL = """
REVOKE UPDATE, DELETE, TRUNCATE ON identity_recording FROM tronc_app;
GRANT UPDATE (code_digest, confirmed_at, confirmed_how, letter_on, contested_at, contested_reason,
    note, address_index, address_hint) ON identity_recording TO tronc_app;

CREATE FUNCTION identity_answer_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'recording % is refused: it was answered', NEW.id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'recording_answer_stays';
END $$;
CREATE TRIGGER recording_answer_stays BEFORE UPDATE ON identity_recording
    FOR EACH ROW WHEN (
        (OLD.confirmed_at IS NOT NULL AND ROW(NEW.confirmed_at, NEW.confirmed_how, NEW.letter_on)
            IS DISTINCT FROM ROW(OLD.confirmed_at, OLD.confirmed_how, OLD.letter_on))
        OR (OLD.contested_at IS NOT NULL AND NEW.contested_at IS DISTINCT FROM OLD.contested_at)
    ) EXECUTE FUNCTION identity_answer_stays();
"""


def person(related: str = "+") -> models.ForeignKey:
    """A column that names a person."""
    return models.ForeignKey(
        on_delete=django.db.models.deletion.PROTECT, related_name=related, to=settings.AUTH_USER_MODEL
    )


class Migration(migrations.Migration):
    """Details, limits and merges of organisations; what was recorded on behalf of somebody."""

    dependencies: ClassVar = [("identity", "0004_devices")]
    operations: ClassVar = [
        migrations.AddField(
            "organisation", "siret", models.CharField(blank=True, db_default="", default="", max_length=14)
        ),
        migrations.AddField(
            "organisation",
            "vat_status",
            models.CharField(
                choices=[
                    ("unknown", "not said yet"),
                    ("not_liable", "not liable"),
                    ("franchise", "exempt as a small organisation (franchise en base)"),
                    ("liable", "liable"),
                ],
                db_default="unknown",
                default="unknown",
                max_length=12,
            ),
        ),
        migrations.AddField(
            "organisation", "vat_number", models.CharField(blank=True, db_default="", default="", max_length=16)
        ),
        migrations.AddField("organisation", "address_sealed", models.TextField(blank=True, db_default="", default="")),
        migrations.AddField(
            "organisation", "email", models.EmailField(blank=True, db_default="", default="", max_length=254)
        ),
        migrations.AddField(
            "organisation",
            "merged_into",
            models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="merged",
                to="identity.organisation",
            ),
        ),
        migrations.AddConstraint(
            "organisation",
            models.CheckConstraint(
                condition=Q(vat_status__in=["unknown", "not_liable", "franchise", "liable"]),
                name="organisation_vat_status_known",
            ),
        ),
        migrations.AddConstraint(
            "organisation",
            models.CheckConstraint(
                condition=Q(vat_number="") | Q(vat_status="liable"), name="organisation_vat_number_of_the_liable"
            ),
        ),
        migrations.AddConstraint(
            "organisation",
            models.CheckConstraint(
                condition=Q(siret="") | Q(siret__startswith=F("siren")), name="organisation_siret_of_its_siren"
            ),
        ),
        migrations.AddConstraint(
            "organisation",
            models.CheckConstraint(condition=~Q(merged_into=F("id")), name="organisation_merged_into_another"),
        ),
        migrations.CreateModel(
            name="SpendingLimit",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("user", person("spending_limits")),
                (
                    "organisation",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="spending_limits",
                        to="identity.organisation",
                    ),
                ),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "per",
                    models.CharField(choices=[("pledge", "per pledge"), ("year", "per calendar year")], max_length=6),
                ),
                ("set_by", person()),
                ("created_at", models.DateTimeField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=["user", "organisation", "currency", "per"], name="one_spending_limit_of_a_sort"
                    ),
                    models.CheckConstraint(condition=Q(amount__gte=0), name="spending_limit_not_negative"),
                    models.CheckConstraint(condition=Q(per__in=["pledge", "year"]), name="spending_limit_per_known"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Recording",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("subject", models.CharField(max_length=48, unique=True)),
                ("recorded_by", person()),
                ("on_behalf_of", models.CharField(db_index=True, max_length=48)),
                ("asked", person()),
                (
                    "channel",
                    models.CharField(
                        choices=[("paper", "a paper"), ("call", "a call"), ("meeting", "a meeting")], max_length=8
                    ),
                ),
                ("told_on", models.DateField()),
                ("note", models.CharField(blank=True, max_length=500)),
                (
                    "confirm_by",
                    models.CharField(choices=[("mail", "by mail"), ("letter", "by letter")], max_length=6),
                ),
                ("address_index", models.CharField(blank=True, max_length=64)),
                ("address_hint", models.CharField(blank=True, max_length=80)),
                ("code_digest", models.CharField(max_length=64, unique=True)),
                ("created_at", models.DateTimeField()),
                ("confirmed_at", models.DateTimeField(null=True)),
                (
                    "confirmed_how",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("link", "through the link of the mail"),
                            ("code", "with the code of the letter"),
                            ("letter", "by a signed letter"),
                        ],
                        max_length=6,
                    ),
                ),
                ("letter_on", models.DateField(null=True)),
                ("contested_at", models.DateTimeField(null=True)),
                ("contested_reason", models.CharField(blank=True, max_length=500)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=Q(subject__startswith="plg_") | Q(subject__startswith="ctr_"),
                        name="recording_of_known_thing",
                    ),
                    models.CheckConstraint(condition=~Q(asked=F("recorded_by")), name="recorder_does_not_confirm"),
                    models.CheckConstraint(
                        condition=Q(confirmed_at=None) | Q(contested_at=None), name="recording_confirmed_or_contested"
                    ),
                    models.CheckConstraint(
                        condition=Q(confirmed_at=None, confirmed_how="")
                        | Q(confirmed_at__isnull=False) & ~Q(confirmed_how=""),
                        name="recording_confirmed_somehow",
                    ),
                    models.CheckConstraint(
                        condition=~Q(confirmed_how="letter") | Q(letter_on__isnull=False),
                        name="recording_letter_dated",
                    ),
                ],
            },
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
