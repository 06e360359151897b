"""One key per person or organisation: destroyed with them, it makes what it sealed unreadable."""

from typing import ClassVar

from django.db import migrations, models
from django.db.models.functions import Now

SQL = """
-- A key that was destroyed stays destroyed, and keeps saying when.
CREATE FUNCTION core_person_key_guard() RETURNS trigger LANGUAGE plpgsql SET search_path = public, pg_temp AS $$
BEGIN
    IF OLD.destroyed_at IS NOT NULL OR NEW.owner <> OLD.owner THEN
        RAISE EXCEPTION 'the key of % was destroyed, or belongs to another', OLD.owner
            USING ERRCODE = 'restrict_violation', CONSTRAINT = 'person_key_stays_destroyed';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER person_key_stays_destroyed BEFORE UPDATE ON core_personkey
    FOR EACH ROW EXECUTE FUNCTION core_person_key_guard();
REVOKE DELETE, TRUNCATE ON core_personkey FROM tronc_app;
"""


class Migration(migrations.Migration):
    """What the instance's key sealed until now stays readable: `rotate_keys` seals it again for its owner."""

    dependencies: ClassVar = [("core", "0002_sweep_runs")]
    operations: ClassVar = [
        migrations.CreateModel(
            name="PersonKey",
            fields=[
                ("owner", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("key_sealed", models.TextField(blank=True)),
                ("created_at", models.DateTimeField(db_default=Now())),
                ("destroyed_at", models.DateTimeField(null=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=(models.Q(destroyed_at=None) & ~models.Q(key_sealed=""))
                        | (models.Q(destroyed_at__isnull=False) & models.Q(key_sealed="")),
                        name="person_key_is_there_until_destroyed",
                    )
                ]
            },
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
