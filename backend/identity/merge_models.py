"""Two accounts that their person says are one, as it is kept until the other account confirms it."""

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.core.ids import ID_LENGTH

if TYPE_CHECKING:
    from backend.identity.models import User

MERGE_LIFE = timedelta(days=7)


class PersonMerge(models.Model):
    """A person signed in says that another address here is theirs too; whoever holds that one confirms it, or not.

    An address without an account is kept like any other, so that nothing tells whoever asked which addresses have one.
    """

    STATES: ClassVar = [
        ("awaited", pgettext_lazy("merge of accounts", "awaiting the other account")),
        ("withdrawn", pgettext_lazy("merge of accounts", "taken back")),
        ("expired", pgettext_lazy("merge of accounts", "not confirmed in time")),
        ("merged", _("one account now")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    # Who asked: their account stays.
    kept = models.ForeignKey("identity.User", on_delete=models.PROTECT, related_name="+")
    # The account of the address, which ends; none where nobody has it. Never shown to `kept` before they are one.
    other = models.ForeignKey("identity.User", null=True, on_delete=models.PROTECT, related_name="+")
    address = models.EmailField(blank=True)
    state = models.CharField(max_length=9, choices=STATES, default="awaited")
    asked_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.CheckConstraint(condition=~Q(kept=F("other")), name="merge_of_two_accounts"),
            models.CheckConstraint(
                condition=Q(state="awaited", ended_at=None) | (~Q(state="awaited") & Q(ended_at__isnull=False)),
                name="merge_ends_once",
            ),
            models.CheckConstraint(condition=~Q(state="merged") | Q(other__isnull=False), name="merge_has_both"),
            models.UniqueConstraint(fields=["kept"], condition=Q(state="awaited"), name="one_merge_awaited"),
        ]  # fmt: skip

    @property
    def ends_at(self) -> datetime:
        """Until when the other account may confirm it."""
        return self.asked_at + MERGE_LIFE

    def awaits(self, now: datetime) -> bool:
        """Whether it can still be confirmed."""
        return self.state == "awaited" and now < self.ends_at

    @classmethod
    def visible_to(cls, actor: "User") -> "models.QuerySet[PersonMerge]":
        """Those that one asked for."""
        return cls.objects.filter(kept=actor)
