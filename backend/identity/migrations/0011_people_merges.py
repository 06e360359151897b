"""Two accounts of one person: asked by one, confirmed by the other; an account that was merged stays merged."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

SQL = """
CREATE FUNCTION identity_merged_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.merged_into_id = (SELECT merged_into_id FROM identity_user WHERE id = OLD.merged_into_id) THEN
        RETURN NEW;  -- the account that stayed was merged in its turn
    END IF;
    RAISE EXCEPTION 'account % is merged: that is not undone', OLD.id
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'merged_account_stays';
END $$;
CREATE TRIGGER merged_account_stays BEFORE UPDATE ON identity_user
    FOR EACH ROW WHEN (OLD.merged_into_id IS NOT NULL AND NEW.merged_into_id IS DISTINCT FROM OLD.merged_into_id)
    EXECUTE FUNCTION identity_merged_stays();
"""


class Migration(migrations.Migration):
    """The request, and the account that stays."""

    dependencies = [
        ("identity", "0010_shortcuts"),
    ]

    operations = [
        migrations.CreateModel(
            name="PersonMerge",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("address", models.EmailField(blank=True, max_length=254)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("awaited", "awaiting the other account"),
                            ("withdrawn", "taken back"),
                            ("expired", "not confirmed in time"),
                            ("merged", "one account now"),
                        ],
                        default="awaited",
                        max_length=9,
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.AddField(
            model_name="user",
            name="merged_into",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="merged",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddConstraint(
            model_name="user",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("merged_into", None),
                    models.Q(("is_active", False), models.Q(("merged_into", models.F("id")), _negated=True)),
                    _connector="OR",
                ),
                name="merged_account_is_closed",
            ),
        ),
        migrations.AddField(
            model_name="personmerge",
            name="kept",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="personmerge",
            name="other",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="personmerge",
            constraint=models.CheckConstraint(
                condition=models.Q(("kept", models.F("other")), _negated=True), name="merge_of_two_accounts"
            ),
        ),
        migrations.AddConstraint(
            model_name="personmerge",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("ended_at", None), ("state", "awaited")),
                    models.Q(models.Q(("state", "awaited"), _negated=True), ("ended_at__isnull", False)),
                    _connector="OR",
                ),
                name="merge_ends_once",
            ),
        ),
        migrations.AddConstraint(
            model_name="personmerge",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "merged"), _negated=True), ("other__isnull", False), _connector="OR"
                ),
                name="merge_has_both",
            ),
        ),
        migrations.AddConstraint(
            model_name="personmerge",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "awaited")), fields=("kept",), name="one_merge_awaited"
            ),
        ),
        migrations.RunSQL(SQL, migrations.RunSQL.noop),
    ]
