"""Payment providers: what is asked, what is told, each movement of money, and what came back."""

import django.db.models.deletion
import django.db.models.expressions
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("payments", "0005_written_once"),
        ("pledges", "0004_provider"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Checkout",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("group", models.CharField(db_index=True, max_length=48)),
                ("recurring", models.BooleanField()),
                ("method", models.CharField(choices=[("card", "card"), ("sepa_debit", "SEPA debit")], max_length=16)),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("opening", "being opened"),
                            ("open", "waits for the payer"),
                            ("processing", "payment on its way"),
                            ("paid", "paid"),
                            ("failed", "failed"),
                            ("expired", "closed unpaid"),
                        ],
                        default="opening",
                        max_length=12,
                    ),
                ),
                ("remote_id", models.CharField(blank=True, max_length=128)),
                ("address", models.TextField(blank=True)),
                ("failure", models.CharField(blank=True, max_length=280)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Dispute",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("provider", models.CharField(max_length=16)),
                ("remote_id", models.CharField(max_length=128)),
                ("charge", models.CharField(db_index=True, max_length=128)),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("reason", models.CharField(blank=True, max_length=60)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("warning", "a question, no money moved"),
                            ("opened", "open"),
                            ("won", "won"),
                            ("lost", "lost"),
                        ],
                        max_length=12,
                    ),
                ),
                ("answer_by", models.DateTimeField(null=True)),
                ("opened_at", models.DateTimeField()),
                ("closed_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="GiveBack",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("amount", models.BigIntegerField()),
                ("fee", models.BigIntegerField()),
                ("to_budget", models.BigIntegerField()),
                ("to_deficit", models.BigIntegerField()),
                ("source", models.CharField(max_length=128, unique=True)),
                ("given_on", models.DateField()),
                ("entry", models.CharField(max_length=48)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Movement",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("provider", models.CharField(max_length=16)),
                ("remote_id", models.CharField(max_length=128)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("charge", "payment"),
                            ("refund", "refund"),
                            ("refund_failure", "refund that failed"),
                            ("failure", "payment that failed afterwards"),
                            ("dispute", "disputed payment"),
                            ("dispute_reversal", "dispute won"),
                            ("fee", "fee of the provider"),
                            ("payout", "sent to the bank"),
                            ("payout_failure", "came back from the bank"),
                            ("other", "other"),
                        ],
                        max_length=20,
                    ),
                ),
                ("amount", models.BigIntegerField()),
                ("fee", models.BigIntegerField(default=0)),
                ("currency", models.CharField(max_length=3)),
                ("original_amount", models.BigIntegerField(null=True)),
                ("original_currency", models.CharField(blank=True, max_length=3)),
                ("rate", models.DecimalField(decimal_places=10, max_digits=20, null=True)),
                ("happened_on", models.DateField()),
                ("available_on", models.DateField(null=True)),
                ("of", models.CharField(blank=True, max_length=128)),
                ("charge", models.CharField(blank=True, db_index=True, max_length=128)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("booked", "booked"),
                            ("reported", "in suspense: a treasurer looks"),
                            ("explained", "explained by a treasurer"),
                        ],
                        max_length=12,
                    ),
                ),
                ("entries", models.JSONField(default=list)),
                ("why", models.CharField(blank=True, max_length=280)),
                ("told_by", models.CharField(max_length=12)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="Notice",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("provider", models.CharField(max_length=16)),
                ("remote_id", models.CharField(max_length=128)),
                ("type", models.CharField(max_length=80)),
                ("about", models.CharField(blank=True, max_length=128)),
                ("sent_at", models.DateTimeField()),
                ("received_at", models.DateTimeField()),
                ("times", models.PositiveIntegerField(default=1)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "to treat"),
                            ("done", "treated"),
                            ("unknown", "of a kind we do not use"),
                            ("stuck", "could not be treated"),
                        ],
                        default="waiting",
                        max_length=12,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_try_at", models.DateTimeField()),
                ("error", models.CharField(blank=True, max_length=280)),
                ("treated_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Operation",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("provider", models.CharField(max_length=16)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("checkout", "open a payment page"),
                            ("expire", "close a payment page"),
                            ("refund", "give a payment back"),
                            ("pause", "pause a subscription"),
                            ("resume", "resume a subscription"),
                            ("cancel", "end a subscription"),
                        ],
                        max_length=12,
                    ),
                ),
                ("key", models.CharField(max_length=128, unique=True)),
                ("request", models.JSONField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("ready", "to send"),
                            ("sent", "sent, no answer yet"),
                            ("unknown", "the answer was lost"),
                            ("done", "done"),
                            ("refused", "refused"),
                            ("given_up", "given up by a treasurer"),
                        ],
                        default="ready",
                        max_length=12,
                    ),
                ),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("first_sent_at", models.DateTimeField(null=True)),
                ("next_try_at", models.DateTimeField()),
                ("remote_id", models.CharField(blank=True, max_length=128)),
                ("error", models.CharField(blank=True, max_length=280)),
                ("given_up_reason", models.CharField(blank=True, max_length=280)),
                ("created_at", models.DateTimeField()),
                ("done_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="ProviderPayout",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("provider", models.CharField(max_length=16)),
                ("remote_id", models.CharField(max_length=128)),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("text", models.CharField(blank=True, max_length=80)),
                ("arrives_on", models.DateField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("sent", "on its way to the bank"),
                            ("settled", "seen on the statement"),
                            ("failed", "refused by the bank"),
                        ],
                        default="sent",
                        max_length=12,
                    ),
                ),
                ("line", models.CharField(blank=True, max_length=128)),
                ("entry", models.CharField(blank=True, max_length=48)),
                ("settled_on", models.DateField(null=True)),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="ProviderRefund",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("charge", models.CharField(db_index=True, max_length=128)),
                ("amount", models.BigIntegerField()),
                ("currency", models.CharField(max_length=3)),
                ("reason", models.CharField(max_length=280)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("asked", "asked"),
                            ("approved", "on its way"),
                            ("done", "given back"),
                            ("failed", "failed"),
                            ("refused", "not given back"),
                        ],
                        default="asked",
                        max_length=12,
                    ),
                ),
                ("remote_id", models.CharField(blank=True, max_length=128)),
                ("failure", models.CharField(blank=True, max_length=280)),
                ("form_key", models.CharField(max_length=64)),
                ("asked_at", models.DateTimeField()),
                ("decided_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="Reconciliation",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("provider", models.CharField(max_length=16)),
                ("since", models.DateTimeField()),
                ("until", models.DateTimeField()),
                ("asked_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
                ("seen", models.PositiveIntegerField(default=0)),
                ("booked", models.PositiveIntegerField(default=0)),
                ("reported", models.PositiveIntegerField(default=0)),
                ("attempts", models.PositiveSmallIntegerField(default=0)),
                ("next_try_at", models.DateTimeField()),
                ("error", models.CharField(blank=True, max_length=280)),
                ("remote_balance", models.BigIntegerField(null=True)),
                ("own_balance", models.BigIntegerField(null=True)),
                ("currency", models.CharField(blank=True, max_length=3)),
            ],
        ),
        migrations.CreateModel(
            name="Subscription",
            fields=[
                ("id", models.CharField(max_length=48, primary_key=True, serialize=False)),
                ("provider", models.CharField(max_length=16)),
                ("remote_id", models.CharField(max_length=128)),
                ("customer", models.CharField(max_length=128)),
                ("group", models.CharField(db_index=True, max_length=48)),
                ("method", models.CharField(max_length=16)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("active", "active"),
                            ("past_due", "a payment failed"),
                            ("paused", "paused"),
                            ("ended", "ended"),
                        ],
                        default="active",
                        max_length=12,
                    ),
                ),
                ("failures", models.PositiveSmallIntegerField(default=0)),
                ("last_failure", models.CharField(blank=True, max_length=280)),
                ("next_on", models.DateField(null=True)),
                ("mandate", models.CharField(blank=True, max_length=128)),
                ("mandate_state", models.CharField(blank=True, max_length=16)),
                ("paused_at", models.DateTimeField(null=True)),
                ("synced_at", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="payment",
            name="payment_taken_back_within_amount",
        ),
        migrations.AddField(
            model_name="payment",
            name="charge",
            field=models.CharField(blank=True, db_default="", db_index=True, default="", max_length=128),
        ),
        migrations.AddField(
            model_name="payment",
            name="original_amount",
            field=models.BigIntegerField(null=True),
        ),
        migrations.AddField(
            model_name="payment",
            name="original_currency",
            field=models.CharField(blank=True, db_default="", default="", max_length=3),
        ),
        migrations.AddField(
            model_name="payment",
            name="provider_fee",
            field=models.BigIntegerField(db_default=0, default=0),
        ),
        migrations.AddField(
            model_name="payment",
            name="rate",
            field=models.DecimalField(decimal_places=10, max_digits=20, null=True),
        ),
        migrations.AddField(
            model_name="payment",
            name="rate_source",
            field=models.CharField(blank=True, db_default="", default="", max_length=16),
        ),
        migrations.AlterField(
            model_name="payment",
            name="method",
            field=models.CharField(
                choices=[
                    ("bank_transfer", "bank transfer"),
                    ("cheque", "cheque"),
                    ("cash", "cash"),
                    ("card", "card"),
                    ("sepa_debit", "SEPA debit"),
                ],
                max_length=16,
            ),
        ),
        migrations.AlterField(
            model_name="payment",
            name="state",
            field=models.CharField(
                choices=[
                    ("succeeded", "received"),
                    ("lost", "taken back by the bank"),
                    ("refunded", "refunded"),
                    ("disputed", "disputed"),
                    ("won", "received, dispute won"),
                ],
                max_length=12,
            ),
        ),
        migrations.AlterField(
            model_name="surplus",
            name="method",
            field=models.CharField(
                choices=[
                    ("bank_transfer", "bank transfer"),
                    ("cheque", "cheque"),
                    ("cash", "cash"),
                    ("card", "card"),
                    ("sepa_debit", "SEPA debit"),
                ],
                max_length=16,
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(
                        ("state__in", ["succeeded", "won"]),
                        ("taken_back__gte", 0),
                        ("taken_back__lt", models.F("amount")),
                    ),
                    models.Q(("state", "disputed"), ("taken_back__gte", 0), ("taken_back__lte", models.F("amount"))),
                    models.Q(("state__in", ["lost", "refunded"]), ("taken_back", models.F("amount"))),
                    _connector="OR",
                ),
                name="payment_taken_back_within_amount",
            ),
        ),
        migrations.AddConstraint(
            model_name="payment",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("original_amount", None), ("original_currency", ""), ("rate", None), ("rate_source", "")),
                    models.Q(
                        ("original_amount__isnull", False),
                        ("rate__isnull", False),
                        models.Q(("original_currency", ""), _negated=True),
                        models.Q(("rate_source", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="payment_conversion_whole",
            ),
        ),
        migrations.AddField(
            model_name="checkout",
            name="made_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="dispute",
            constraint=models.UniqueConstraint(fields=("provider", "remote_id"), name="one_dispute_per_remote"),
        ),
        migrations.AddField(
            model_name="giveback",
            name="take_back",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="give_backs", to="payments.takeback"
            ),
        ),
        migrations.AddField(
            model_name="movement",
            name="explained_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddIndex(
            model_name="notice",
            index=models.Index(fields=["state", "next_try_at"], name="notice_due"),
        ),
        migrations.AddConstraint(
            model_name="notice",
            constraint=models.UniqueConstraint(fields=("provider", "remote_id"), name="one_notice_per_remote"),
        ),
        migrations.AddField(
            model_name="operation",
            name="asked_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="operation",
            name="given_up_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="checkout",
            name="operation",
            field=models.OneToOneField(
                on_delete=django.db.models.deletion.PROTECT, related_name="checkout", to="payments.operation"
            ),
        ),
        migrations.AddConstraint(
            model_name="providerpayout",
            constraint=models.UniqueConstraint(fields=("provider", "remote_id"), name="one_payout_per_remote"),
        ),
        migrations.AddConstraint(
            model_name="providerpayout",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="provider_payout_positive"),
        ),
        migrations.AddConstraint(
            model_name="providerpayout",
            constraint=models.CheckConstraint(
                condition=models.Q(("state", "settled"), ("line", ""), _connector="XOR"),
                name="provider_payout_settled_by_a_line",
            ),
        ),
        migrations.AddConstraint(
            model_name="providerpayout",
            constraint=models.UniqueConstraint(
                condition=models.Q(("line", ""), _negated=True), fields=("line",), name="one_provider_payout_per_line"
            ),
        ),
        migrations.AddField(
            model_name="providerrefund",
            name="asked_by",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="providerrefund",
            name="decided_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddField(
            model_name="providerrefund",
            name="operation",
            field=models.OneToOneField(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="refund", to="payments.operation"
            ),
        ),
        migrations.AddField(
            model_name="reconciliation",
            name="asked_by",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.UniqueConstraint(fields=("provider", "remote_id"), name="one_subscription_per_remote"),
        ),
        migrations.AddConstraint(
            model_name="subscription",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state", "ended"), _negated=True),
                fields=("group",),
                name="one_live_subscription_per_group",
            ),
        ),
        migrations.AddField(
            model_name="checkout",
            name="subscription",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="checkouts",
                to="payments.subscription",
            ),
        ),
        migrations.AddConstraint(
            model_name="giveback",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("amount__gt", 0),
                    ("fee__gte", 0),
                    ("to_budget__gte", 0),
                    ("to_deficit__gte", 0),
                    (
                        "amount",
                        django.db.models.expressions.CombinedExpression(
                            django.db.models.expressions.CombinedExpression(
                                models.F("fee"), "+", models.F("to_budget")
                            ),
                            "+",
                            models.F("to_deficit"),
                        ),
                    ),
                ),
                name="give_back_adds_up",
            ),
        ),
        migrations.AddIndex(
            model_name="movement",
            index=models.Index(fields=["happened_on"], name="movement_day"),
        ),
        migrations.AddConstraint(
            model_name="movement",
            constraint=models.UniqueConstraint(fields=("provider", "remote_id"), name="one_movement_per_remote"),
        ),
        migrations.AddConstraint(
            model_name="movement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("original_amount", None), ("original_currency", ""), ("rate", None)),
                    models.Q(
                        ("original_amount__isnull", False),
                        ("rate__isnull", False),
                        models.Q(("original_currency", ""), _negated=True),
                    ),
                    _connector="OR",
                ),
                name="movement_conversion_whole",
            ),
        ),
        migrations.AddConstraint(
            model_name="movement",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "explained"), _negated=True), ("explained_by__isnull", False), _connector="OR"
                ),
                name="movement_explained_by_someone",
            ),
        ),
        migrations.AddIndex(
            model_name="operation",
            index=models.Index(fields=["state", "next_try_at"], name="operation_due"),
        ),
        migrations.AddConstraint(
            model_name="operation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "given_up"), _negated=True),
                    models.Q(("given_up_by__isnull", False), models.Q(("given_up_reason", ""), _negated=True)),
                    _connector="OR",
                ),
                name="operation_given_up_with_reason",
            ),
        ),
        migrations.AddConstraint(
            model_name="operation",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("state__in", ["ready", "refused", "given_up"]), ("first_sent_at__isnull", False), _connector="OR"
                ),
                name="operation_sent_before_its_answer",
            ),
        ),
        migrations.AddConstraint(
            model_name="providerrefund",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="provider_refund_positive"),
        ),
        migrations.AddConstraint(
            model_name="providerrefund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_by", None), ("state", "asked")),
                    models.Q(("decided_at__isnull", False), ("decided_by__isnull", False)),
                    _connector="OR",
                ),
                name="provider_refund_decided_by_someone",
            ),
        ),
        migrations.AddConstraint(
            model_name="providerrefund",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("decided_by", None),
                    ("state", "refused"),
                    models.Q(("decided_by", models.F("asked_by")), _negated=True),
                    _connector="OR",
                ),
                name="provider_refund_by_two",
            ),
        ),
        migrations.AddConstraint(
            model_name="providerrefund",
            constraint=models.UniqueConstraint(fields=("asked_by", "form_key"), name="one_provider_refund_per_form"),
        ),
        migrations.AddConstraint(
            model_name="reconciliation",
            constraint=models.CheckConstraint(
                condition=models.Q(("since__lt", models.F("until"))), name="reconciliation_since_before_until"
            ),
        ),
        migrations.AddConstraint(
            model_name="checkout",
            constraint=models.CheckConstraint(condition=models.Q(("amount__gt", 0)), name="checkout_amount_positive"),
        ),
        migrations.AddConstraint(
            model_name="checkout",
            constraint=models.UniqueConstraint(
                condition=models.Q(("state__in", ["opening", "open", "processing"])),
                fields=("group",),
                name="one_checkout_at_a_time",
            ),
        ),
        migrations.AddConstraint(
            model_name="checkout",
            constraint=models.UniqueConstraint(
                condition=models.Q(("remote_id", ""), _negated=True),
                fields=("remote_id",),
                name="one_checkout_per_remote",
            ),
        ),
    ]
