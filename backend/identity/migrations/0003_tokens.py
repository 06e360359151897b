"""Tokens with scopes per resource and verb, held to one commons or organisation."""

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import migrations, models
from django.db.models import F, Q

if TYPE_CHECKING:
    from django.db.backends.base.schema import BaseDatabaseSchemaEditor
    from django.db.migrations.state import StateApps

# What each scope of before could do, in the words of now: no token gains or loses anything.
NOW: dict[str, list[str]] = {
    "read": [
        "charters:read", "commons:read", "contributions:read", "distributions:read", "log:read", "periods:read",
        "pledges:read",
    ],
    "contributions:write": ["contributions:write"],
    "reviews:write": ["contributions:review"],
    "pledges:write": ["pledges:write"],
    "periods:write": ["periods:close"],
    "ledger:read": ["ledger:read"],
}  # fmt: skip


def carry_over(apps: "StateApps", _editor: "BaseDatabaseSchemaEditor") -> None:
    """Give each token the scopes that mean what its own meant, and the midnight of the day it was last used."""
    tokens: Any = apps.get_model("identity", "ApiToken")
    for token in tokens.objects.all():
        token.scopes = sorted({now for scope in token.scopes for now in NOW.get(scope, [])})
        if token.last_used_on is not None:
            token.last_used_at = datetime.combine(token.last_used_on, time(), tzinfo=UTC)
        token.save(update_fields=["scopes", "last_used_at"])


class Migration(migrations.Migration):
    """Tokens with scopes per resource and verb, held to one commons or organisation."""

    dependencies: ClassVar = [("identity", "0002_fiscal_year")]
    operations: ClassVar = [
        migrations.AddField("apitoken", "only", models.CharField(blank=True, db_default="", default="", max_length=48)),
        migrations.AddField("apitoken", "last_used_at", models.DateTimeField(null=True)),
        migrations.AddField("apitoken", "warned_at", models.DateTimeField(null=True)),
        migrations.RunPython(carry_over, migrations.RunPython.noop, elidable=True),
        migrations.RemoveField("apitoken", "last_used_on"),
        migrations.AddConstraint(
            "apitoken",
            models.CheckConstraint(
                condition=Q(only="") | Q(only__startswith="com_") | Q(only__startswith="org_"),
                name="token_held_to_commons_or_organisation",
            ),
        ),
        migrations.AddConstraint(
            "apitoken",
            models.CheckConstraint(
                condition=Q(expires_at__lte=F("created_at") + timedelta(days=365)), name="token_lives_a_year_at_most"
            ),
        ),
    ]
