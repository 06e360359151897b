"""What is signed, who claimed a batch and how, what was held out of it and why."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("distributions", "0006_share_states"),
        ("identity", "0012_payout_limits"),
        ("payments", "0010_restored"),
        ("payouts", "0004_returned"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="HeldOut",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("amount", models.BigIntegerField()),
                (
                    "code",
                    models.CharField(
                        choices=[
                            ("no_account", "no account was given"),
                            ("no_document", "its supporting document is awaited"),
                            ("on_hold", "the account changed and waits"),
                            ("blocked", "the account is blocked"),
                            ("closed", "the payee is closed"),
                            ("name_not_latin", "the name cannot be written for the banks"),
                            ("below_minimum", "below the smallest payment of its charter"),
                            ("chosen", "left out by who prepared"),
                            ("nobody_could_approve", "nobody else could approve it"),
                            ("above_limit", "above a limit, and nobody could approve as a third person"),
                            ("no_money", "not enough money at the bank"),
                        ],
                        max_length=24,
                    ),
                ),
                ("detail", models.CharField(blank=True, max_length=280)),
            ],
        ),
        migrations.AddField(
            model_name="payout",
            name="reference",
            field=models.CharField(blank=True, db_default="", default="", max_length=35),
        ),
        migrations.AddField(
            model_name="payoutbatch",
            name="approved_digest",
            field=models.CharField(blank=True, db_default="", default="", max_length=64),
        ),
        migrations.AddField(
            model_name="payoutbatch",
            name="claimed_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="payoutbatch",
            name="claimed_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="payoutbatch",
            name="file_format",
            field=models.CharField(
                choices=[("pain.001.001.09", "pain.001.001.09"), ("pain.001.001.03", "pain.001.001.03")],
                db_default="pain.001.001.09",
                default="pain.001.001.09",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="payoutbatch",
            name="refused_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="payoutbatch",
            name="refused_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="payoutbatch",
            name="second_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="payoutbatch",
            name="second_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="payoutbatch",
            name="void_code",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", ""),
                    ("account_changed", "an account that it pays changed after it was prepared"),
                    ("payee_hindered", "a payee in it cannot be paid any more"),
                    ("file_changed", "its file is not what was approved"),
                ],
                db_default="",
                default="",
                max_length=16,
            ),
        ),
        migrations.AddField(
            model_name="payoutbatch",
            name="way",
            field=models.CharField(
                blank=True,
                choices=[("", "not handed over"), ("file", "by its file"), ("hand", "typed on the bank’s site")],
                db_default="",
                default="",
                max_length=4,
            ),
        ),
        migrations.AlterField(
            model_name="payout",
            name="state",
            field=models.CharField(
                choices=[
                    ("prepared", "prepared"),
                    ("sent", "handed to the bank"),
                    ("unknown", "not known whether the bank took it"),
                    ("settled", "paid"),
                    ("returned", "sent back by the bank"),
                    ("cancelled", "cancelled"),
                ],
                default="prepared",
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="payoutbatch",
            name="state",
            field=models.CharField(
                choices=[
                    ("prepared", "awaiting approval"),
                    ("approved", "approved, file ready"),
                    ("claimed", "being handed over"),
                    ("sent", "handed to the bank"),
                    ("unknown", "not known whether the bank took it"),
                    ("settled", "seen on the statement"),
                    ("rejected", "refused"),
                    ("returned", "sent back by the bank"),
                ],
                default="prepared",
                max_length=12,
            ),
        ),
        migrations.RunSQL(
            "UPDATE payouts_payoutbatch SET approved_digest = digest WHERE approved_by_id IS NOT NULL;"
            "UPDATE payouts_payoutbatch SET claimed_by_id = approved_by_id, claimed_at = sent_at, way = 'file'"
            " WHERE sent_at IS NOT NULL;",
            migrations.RunSQL.noop,
        ),
        migrations.AddConstraint(
            model_name="payoutbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("approved_by", None), models.Q(("approved_digest", ""), _negated=True), _connector="OR"
                ),
                name="batch_approval_signs_a_digest",
            ),
        ),
        migrations.AddConstraint(
            model_name="payoutbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("second_by", None),
                    models.Q(
                        ("approved_by__isnull", False),
                        models.Q(("second_by", models.F("approved_by")), _negated=True),
                        models.Q(("second_by", models.F("prepared_by")), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="batch_second_is_a_third_person",
            ),
        ),
        migrations.AddConstraint(
            model_name="payoutbatch",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("claimed_at", None), ("claimed_by", None), ("way", "")),
                    models.Q(
                        ("claimed_at__isnull", False), ("claimed_by__isnull", False), ("way__in", ["file", "hand"])
                    ),
                    _connector="OR",
                ),
                name="batch_claimed_in_a_way",
            ),
        ),
        migrations.AddField(
            model_name="heldout",
            name="batch",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="held_out", to="payouts.payoutbatch"
            ),
        ),
        migrations.AddField(
            model_name="heldout",
            name="refund",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="payments.refund"
            ),
        ),
        migrations.AddField(
            model_name="heldout",
            name="share",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="distributions.share"
            ),
        ),
        migrations.AddConstraint(
            model_name="heldout",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("refund", None), ("share__isnull", False)),
                    models.Q(("refund__isnull", False), ("share", None)),
                    _connector="OR",
                ),
                name="held_out_of_one",
            ),
        ),
    ]
