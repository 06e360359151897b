"""A distribution that nobody prepared: its period closed by itself, which its charter must say."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SQL = """
CREATE FUNCTION distributions_automatic_by_charter() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT document -> 'closing' FROM commons_charter WHERE id = NEW.charter_id) IS NULL THEN
        RAISE EXCEPTION 'distribution %: its charter does not close periods by itself', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'automatic_distribution_by_charter';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER automatic_distribution_by_charter BEFORE INSERT OR UPDATE OF automatic, prepared_by_id, charter_id
    ON distributions_distribution FOR EACH ROW WHEN (NEW.automatic)
    EXECUTE FUNCTION distributions_automatic_by_charter();
"""


class Migration(migrations.Migration):
    dependencies = [
        ("commons", "0008_provider"),
        ("distributions", "0008_waivers"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="distribution",
            name="automatic",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AlterField(
            model_name="distribution",
            name="prepared_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="distribution",
            constraint=models.CheckConstraint(
                condition=models.Q(("automatic", True), ("prepared_by__isnull", False), _connector="XOR"),
                name="distribution_prepared_or_automatic",
            ),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
