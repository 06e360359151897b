"""What people gave back of their shares: kept, final, and the same as what the shares say."""

import django.db.models.deletion
from django.db import migrations, models

SQL = """
-- Looked at when the transaction ends: a share says that it is waived by exactly what its waivers add up to.
CREATE FUNCTION distributions_waived_by_waivers() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    told bigint;
BEGIN
    SELECT waived INTO told FROM distributions_share WHERE id = NEW.id;
    IF told <> (SELECT coalesce(sum(amount), 0) FROM distributions_sharewaiver WHERE share_id = NEW.id) THEN
        RAISE EXCEPTION 'share %: what is waived is not what its waivers add up to', NEW.id
            USING ERRCODE = 'check_violation', CONSTRAINT = 'share_waived_by_its_waivers';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER share_waived_by_its_waivers AFTER UPDATE OF waived ON distributions_share
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (OLD.waived <> NEW.waived)
    EXECUTE FUNCTION distributions_waived_by_waivers();

REVOKE DELETE, TRUNCATE, UPDATE ON distributions_sharewaiver, distributions_sharewaiverpart FROM tronc_app;
"""


class Migration(migrations.Migration):
    dependencies = [("commons", "0008_provider"), ("distributions", "0007_objections")]
    operations = [
        migrations.CreateModel(
            name="ShareWaiver",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("amount", models.BigIntegerField()),
                ("form_key", models.CharField(max_length=64)),
                ("made_at", models.DateTimeField()),
                (
                    "share",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="waivers", to="distributions.share"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ShareWaiverPart",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("amount", models.BigIntegerField()),
                (
                    "budget",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="commons.budget"
                    ),
                ),
                (
                    "waiver",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="parts",
                        to="distributions.sharewaiver",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="sharewaiver",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="share_waiver_positive"),
        ),
        migrations.AddConstraint(
            model_name="sharewaiver",
            constraint=models.UniqueConstraint(fields=("share", "form_key"), name="one_waiver_per_form"),
        ),
        migrations.AddConstraint(
            model_name="sharewaiverpart",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="share_waiver_part_positive"),
        ),
        migrations.AddConstraint(
            model_name="sharewaiverpart",
            constraint=models.UniqueConstraint(fields=("waiver", "budget"), name="one_waiver_part_per_purse"),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
