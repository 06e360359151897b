"""Repositories that tell of commits, what they told, and the commits that were noted of it."""

from datetime import datetime
from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backend.commons.models import Budget
from backend.contributions.forges import FORGES
from backend.contributions.forges.base import Forge
from backend.core.ids import ID_LENGTH
from backend.identity.models import User
from backend.identity.permissions import counting


class Repository(models.Model):
    """A repository whose forge tells a budget of its commits; its secret is sealed, two count while one is changed."""

    KINDS: ClassVar = [(forge.key, forge.name) for forge in FORGES.values()]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    budget = models.ForeignKey(Budget, on_delete=models.PROTECT, related_name="repositories")
    forge = models.CharField(max_length=8, choices=KINDS)
    address = models.URLField(max_length=300)
    secret_sealed = models.TextField(blank=True)
    former_sealed = models.TextField(blank=True)
    former_until = models.DateTimeField(null=True)
    created_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    revoked_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    revoked_at = models.DateTimeField(null=True)
    # Deliveries that were refused for their signature: how many, and the last one; nothing of them is kept.
    unsigned = models.PositiveIntegerField(default=0, db_default=0)
    unsigned_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["budget", "address"], condition=Q(revoked_at=None), name="repository_connected_once"
            ),
            models.CheckConstraint(
                condition=(Q(revoked_at=None, revoked_by=None) & ~Q(secret_sealed=""))
                | Q(revoked_at__isnull=False, revoked_by__isnull=False, secret_sealed="", former_sealed=""),
                name="revoked_repository_has_no_secret",
            ),
            models.CheckConstraint(
                condition=Q(former_sealed="") | Q(former_until__isnull=False), name="former_secret_ends"
            ),
        ]

    def __str__(self) -> str:
        """Its address without the protocol."""
        return self.address.partition("://")[2]

    @property
    def adapter(self) -> Forge:
        """What knows its forge."""
        return FORGES[self.forge]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Repository]":
        """Those of the budgets of which one is a steward, and of the budgets just below."""
        cared = counting(actor).filter(kind="steward", scope__startswith="bud_").values("scope")
        return cls.objects.filter(Q(budget__in=cared) | Q(budget__parent__in=cared))


class ForgeDelivery(models.Model):
    """One sending of a forge, verified and kept once by the id that the forge gave it.

    Its body is emptied when it was treated, unless it tells of people of whom no draft could be made yet.
    """

    STATES: ClassVar = [
        ("new", pgettext_lazy("delivery", "received")),
        ("treated", pgettext_lazy("delivery", "treated")),
        ("refused", pgettext_lazy("delivery", "refused")),
    ]
    FAULTS: ClassVar = [
        ("form_encoded", _("The forge sends forms: choose “application/json” as the type of content.")),
        ("not_json", _("It is not what this forge sends: it could not be read.")),
        ("other_repository", _("It comes from another repository: each one is connected with an address of its own.")),
        ("revoked", _("The repository was disconnected before it was treated.")),
        ("unexpected", _("It could not be treated after several tries. The host finds the reason in its log.")),
    ]
    # Why one was treated and did nothing.
    NOTHING: ClassVar = [
        ("other_event", _("A test, or an event that tells of no work. Nothing was to be done.")),
        (
            "other_branch",
            _("It is of another branch or a tag: work counts once it is in the main branch. Nothing was to be done."),
        ),
        ("branch_ended", _("The branch was deleted. Nothing was to be done.")),
        ("not_merged", _("A request that is not merged: work counts once it is. Nothing was to be done.")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    repository = models.ForeignKey(Repository, on_delete=models.PROTECT, related_name="deliveries")
    delivery_id = models.CharField(max_length=100)
    event = models.CharField(max_length=60)
    body = models.BinaryField(max_length=1024 * 1024)
    size = models.PositiveIntegerField()
    received_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=STATES, default="new")
    fault = models.CharField(max_length=20, choices=FAULTS, blank=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    next_try_at = models.DateTimeField()
    treated_at = models.DateTimeField(null=True)
    # What it told: the last commit of the branch, whether the branch was rewritten, commits that the forge left out.
    head = models.CharField(max_length=64, blank=True)
    rewritten = models.BooleanField(default=False)
    left_out = models.PositiveIntegerField(default=0)
    nothing = models.CharField(max_length=20, choices=NOTHING, blank=True, db_default="")
    # What it did: how many trailers or commits of each sort; see `deliveries.DONE`.
    did = models.JSONField(default=dict, db_default={})

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["repository", "delivery_id"], name="delivery_kept_once"),
            models.CheckConstraint(condition=Q(state="new") | Q(treated_at__isnull=False), name="delivery_ends_once"),
            models.CheckConstraint(condition=~Q(state="refused") | ~Q(fault=""), name="refused_delivery_says_why"),
            models.CheckConstraint(condition=Q(size__lte=1024 * 1024), name="delivery_of_a_megabyte"),
        ]
        indexes = [
            models.Index(fields=["next_try_at"], name="delivery_waiting", condition=Q(state="new")),
            models.Index(fields=["received_at"], name="delivery_received"),
        ]

    @classmethod
    def waiting(cls, now: datetime) -> "models.QuerySet[ForgeDelivery]":
        """Those to treat now."""
        return cls.objects.filter(state="new", next_try_at__lte=now)


class ForgeCommit(models.Model):
    """One trailer of a commit, or of the request that became it: noted once, whatever tells of it again."""

    OUTCOMES: ClassVar = [
        ("drafted", pgettext_lazy("commit", "draft made")),
        ("declared", pgettext_lazy("commit", "declared already")),
        ("unknown", pgettext_lazy("commit", "author not known here")),
        ("refused", pgettext_lazy("commit", "no draft could be made")),
        ("unreadable", pgettext_lazy("commit", "duration not readable")),
    ]
    repository = models.ForeignKey(Repository, on_delete=models.PROTECT, related_name="commits")
    # The last delivery that told of it, while it is kept.
    delivery = models.ForeignKey(ForgeDelivery, null=True, on_delete=models.SET_NULL, related_name="commits")
    sha = models.CharField(max_length=64)
    part = models.PositiveSmallIntegerField()
    outcome = models.CharField(max_length=10, choices=OUTCOMES)
    # The code of the refusal, where there is one.
    why = models.CharField(max_length=40, blank=True)
    # The draft, or what was declared of it; none once its contributor deleted the draft.
    contribution = models.ForeignKey(
        "contributions.Contribution", null=True, on_delete=models.SET_NULL, related_name="commits"
    )
    # The word of the trailer that is no kind of the budget: the contributor chooses one before they declare the draft.
    kind_said = models.CharField(max_length=40, blank=True, db_default="")
    # Keyed hashes: of the address of an author of whom there is no draft; of who wrote what, to find it when rewritten.
    author_index = models.CharField(max_length=64, blank=True)
    mark = models.CharField(max_length=64)
    authored_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField()
    # When it was told that it is no longer in the branch; another one may stand for it.
    gone_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["repository", "sha", "part"], name="commit_noted_once")]
        indexes = [
            models.Index(fields=["repository", "mark"], name="commit_mark"),
            models.Index(fields=["author_index"], name="commit_author", condition=~Q(author_index="")),
        ]


class ForgePerson(models.Model):
    """An address under which somebody commits, beside those of their account that they have confirmed."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="commit_addresses")
    address = models.CharField(max_length=254, unique=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(address=""), name="commit_address_is_one")]
