"""Users, the host and its bank accounts, organisations, roles and API tokens."""

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from backend.core.ids import ID_LENGTH, new_id
from backend.identity.merge_models import PersonMerge
from backend.identity.offer_models import Offer
from backend.identity.proposal_models import Proposal
from backend.identity.recording_models import Recording

__all__ = [
    "ApiToken", "Host", "HostBankAccount", "KnownDevice", "Offer", "Organisation", "PersonMerge", "Proposal",
    "Recording", "Role", "SpendingLimit", "User", "UserManager",
]  # fmt: skip


class UserManager(BaseUserManager["User"]):
    """Makes users; an id comes with each."""

    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        """Create and save a user with this address (lower-cased) and password."""
        user = self.model(id=new_id("usr"), email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, username: str | None) -> "User":
        """Find a user by address, whatever its case."""
        return self.get(email=(username or "").strip().lower())


class User(AbstractBaseUser):
    """A person who can sign in. What they may do is said by their roles alone; there is no superuser."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    email = models.EmailField(_("e-mail address"), unique=True)
    name = models.CharField(_("name"), max_length=120)
    # What public pages say instead of the name; empty: a pseudonym made from the id.
    public_name = models.CharField(_("public name"), max_length=60, blank=True)
    language = models.CharField(max_length=2, default="fr")
    is_active = models.BooleanField(default=True)
    # Whether keys of one letter act on the pages of review; who dictates or trembles switches them off.
    shortcuts = models.BooleanField(default=True, db_default=True)
    # The account of the same person that stays: this one is closed, and what was booked under it stays under it.
    merged_into = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="merged")
    # What Django's account machinery asks of a user; nobody is staff here, there is no admin site.
    is_staff = False
    is_superuser = False
    date_joined = models.DateTimeField(auto_now_add=True)

    # Somebody for whom a paper came and who has no e-mail address: RFC 2606 keeps this domain from ever being one.
    NO_ADDRESS = "no-address.invalid"
    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(language__in=["fr", "en"]), name="user_language_known"),
            models.CheckConstraint(
                condition=Q(merged_into=None) | (Q(is_active=False) & ~Q(merged_into=F("id"))),
                name="merged_account_is_closed",
            ),
        ]

    def __str__(self) -> str:
        """The name shown to others."""
        return self.name

    @property
    def shown_publicly(self) -> str:
        """The name on public pages: the one the person chose, else a pseudonym."""
        return self.public_name or str(_("Contributor %(tail)s") % {"tail": self.pk[-4:]})

    @property
    def has_address(self) -> bool:
        """Whether mail can be written to this person."""
        return not self.email.endswith(f"@{self.NO_ADDRESS}")

    @property
    def address_shown(self) -> str:
        """The address, to those who may read it; for who has none, their name and that."""
        return self.email if self.has_address else str(_("%(name)s, no address") % {"name": self.name})

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Give an id to users made by the account machinery."""
        self.id = self.id or new_id("usr")
        super().save(*args, **kwargs)

    def get_full_name(self) -> str:
        """The name, as Django's templates ask for it."""
        return self.name


class Host(models.Model):
    """The legal entity that runs this instance: one row."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    only = models.BooleanField(default=True, unique=True)
    name = models.CharField(max_length=140)
    siren = models.CharField(max_length=9)
    fee_bp = models.PositiveSmallIntegerField()
    time_zone = models.CharField(max_length=64, default="Europe/Paris")
    # The month, 1 to 12, on whose first day each fiscal year begins.
    fiscal_year_starts_on = models.PositiveSmallIntegerField(default=1, db_default=1)
    # What its papers say of it. An empty VAT status: not said yet, and no invoice is issued before it is.
    VAT: ClassVar = [
        ("", _("not said yet")),
        ("non_profit", _("outside VAT, as a non-profit (article 261-7-1° of the CGI)")),
        ("franchise", _("exempt as a small organisation (franchise en base, article 293 B of the CGI)")),
    ]
    address = models.TextField(blank=True, default="", db_default="")
    rna = models.CharField(max_length=10, blank=True, default="", db_default="")
    vat_status = models.CharField(max_length=12, choices=VAT, blank=True, default="", db_default="")
    # Stays off: see operations.host, which refuses to turn it on.
    tax_receipts = models.BooleanField(default=False, db_default=False)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(vat_status__in=["", "non_profit", "franchise"]), name="host_vat_status_known"
            ),
            models.CheckConstraint(condition=Q(tax_receipts=False), name="host_tax_receipts_not_built"),
            models.CheckConstraint(condition=Q(only=True), name="host_is_only"),
            models.CheckConstraint(condition=Q(fee_bp__lte=10_000), name="host_fee_at_most_all"),
            models.CheckConstraint(
                condition=Q(fiscal_year_starts_on__gte=1, fiscal_year_starts_on__lte=12), name="host_fiscal_year_month"
            ),
        ]


class HostBankAccount(models.Model):
    """A bank account of the host; its purse in the ledger is found by its id.

    Above a limit (minor units; none when null) a payout batch takes a third person: for all that one payee gets of it,
    for its total, and for the batches prepared on one day. `file_format` is that of its payment files.
    """

    FORMATS: ClassVar = [("pain.001.001.09", "pain.001.001.09"), ("pain.001.001.03", "pain.001.001.03")]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="bank_accounts")
    name = models.CharField(max_length=80)
    iban = models.CharField(max_length=34, unique=True)
    bic = models.CharField(max_length=11, blank=True)
    currency = models.CharField(max_length=3)
    limit_payee = models.BigIntegerField(null=True)
    limit_batch = models.BigIntegerField(null=True)
    limit_day = models.BigIntegerField(null=True)
    file_format = models.CharField(
        max_length=16, choices=FORMATS, default="pain.001.001.09", db_default="pain.001.001.09"
    )

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=(Q(limit_payee=None) | Q(limit_payee__gt=0))
                & (Q(limit_batch=None) | Q(limit_batch__gt=0))
                & (Q(limit_day=None) | Q(limit_day__gt=0)),
                name="account_limits_positive",
            )
        ]


class Organisation(models.Model):
    """Funds pots, or is paid for its people's work."""

    KINDS: ClassVar = [
        ("association", _("association")),
        ("public", _("public body")),
        ("company", _("company")),
        ("cooperative", _("cooperative")),
        ("informal", _("informal group")),
    ]
    # What it says of value added tax; only who is liable has a number.
    VAT: ClassVar = [
        ("unknown", _("not said yet")),
        ("not_liable", _("not liable")),
        ("franchise", _("exempt as a small organisation (franchise en base)")),
        ("liable", _("liable")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    name = models.CharField(max_length=140)
    kind = models.CharField(max_length=16, choices=KINDS)
    siren = models.CharField(max_length=9, blank=True)
    siret = models.CharField(max_length=14, blank=True, default="", db_default="")
    vat_status = models.CharField(max_length=12, choices=VAT, default="unknown", db_default="unknown")
    vat_number = models.CharField(max_length=16, blank=True, default="", db_default="")
    # Lines, postal code, city and country as JSON, sealed and bound to the row; empty: not given.
    address_sealed = models.TextField(blank=True, default="", db_default="")
    SEALED_FOR: ClassVar = {"address_sealed": "id"}  # with the organisation's own key
    email = models.EmailField(blank=True, default="", db_default="")
    # The organisation it turned out to be the same as: its pages lead there, and nobody acts for it any more.
    merged_into = models.ForeignKey("self", null=True, on_delete=models.PROTECT, related_name="merged")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(vat_status__in=["unknown", "not_liable", "franchise", "liable"]),
                name="organisation_vat_status_known",
            ),
            models.CheckConstraint(
                condition=Q(vat_number="") | Q(vat_status="liable"), name="organisation_vat_number_of_the_liable"
            ),
            models.CheckConstraint(
                condition=Q(siret="") | Q(siret__startswith=F("siren")), name="organisation_siret_of_its_siren"
            ),
            models.CheckConstraint(condition=~Q(merged_into=F("id")), name="organisation_merged_into_another"),
        ]

    def __str__(self) -> str:
        """Its name."""
        return self.name

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Organisation]":
        """The organisations whose private pages this person may read."""
        from backend.identity.permissions import counting, holds

        if holds(actor, "treasurer", "auditor"):
            return cls.objects.all()
        return cls.objects.filter(id__in=counting(actor).values("scope"))


class Role(models.Model):
    """What a person is, somewhere: the scope is the id of the host, of an organisation or of a budget."""

    KINDS: ClassVar = [
        ("treasurer", _("treasurer")),
        ("auditor", _("auditor")),
        ("administrator", _("administrator")),
        ("organisation_manager", _("manager")),
        ("organisation_member", _("member")),
        ("steward", _("steward")),
        ("contributor", _("contributor")),
    ]
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="roles")
    kind = models.CharField(max_length=24, choices=KINDS)
    scope = models.CharField(max_length=ID_LENGTH, db_index=True)
    granted_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["user", "kind", "scope"], name="role_held_once"),
            models.CheckConstraint(
                name="role_fits_its_scope",
                condition=Q(kind__in=["treasurer", "auditor", "administrator"], scope__startswith="hst_")
                | Q(kind__startswith="organisation_", scope__startswith="org_")
                | Q(kind__in=["steward", "contributor"], scope__startswith="bud_"),
            ),
        ]


class SpendingLimit(models.Model):
    """How much a person may pledge for an organisation: in one pledge, or in a calendar year of the host."""

    PER: ClassVar = [("pledge", _("per pledge")), ("year", _("per calendar year"))]
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="spending_limits")
    organisation = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="spending_limits")
    amount = models.BigIntegerField()
    currency = models.CharField(max_length=3)
    per = models.CharField(max_length=6, choices=PER)
    set_by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["user", "organisation", "currency", "per"], name="one_spending_limit_of_a_sort"
            ),
            models.CheckConstraint(condition=Q(amount__gte=0), name="spending_limit_not_negative"),
            models.CheckConstraint(condition=Q(per__in=["pledge", "year"]), name="spending_limit_per_known"),
        ]


class ApiToken(models.Model):
    """A key for the API: only its SHA-256 is kept, the text is shown once."""

    # One scope a resource and verb. None approves, releases, arbitrates or pays: those are acts of people on pages.
    SCOPES: ClassVar = [
        ("commons:read", _("read commons and their budgets")),
        ("charters:read", _("read charters")),
        ("contributions:read", _("read contributions")),
        ("contributions:write", _("declare and withdraw contributions")),
        ("contributions:review", _("review contributions")),
        ("pledges:read", _("read pledges")),
        ("pledges:write", _("pledge")),
        ("periods:read", _("read periods")),
        ("periods:close", _("close periods")),
        ("distributions:read", _("read distributions")),
        ("distributions:write", _("object to distributions, give back one’s own shares")),
        ("statement:read", _("read one’s own statement of account")),
        ("events:read", _("follow events")),
        ("ledger:read", _("read the books")),
        ("log:read", _("read the public log")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=24)
    scopes = models.JSONField()
    # The one commons (com_…) or organisation (org_…) it sees; empty: all that its owner sees.
    only = models.CharField(max_length=ID_LENGTH, blank=True, default="", db_default="")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    # To the minute; where it was used from is not kept.
    last_used_at = models.DateTimeField(null=True)
    # When its owner was told by mail that it ends soon.
    warned_at = models.DateTimeField(null=True)
    revoked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(only="") | Q(only__startswith="com_") | Q(only__startswith="org_"),
                name="token_held_to_commons_or_organisation",
            ),
            models.CheckConstraint(
                condition=Q(expires_at__lte=F("created_at") + timedelta(days=365)), name="token_lives_a_year_at_most"
            ),
        ]

    @property
    def scope_names(self) -> list[str]:
        """What the token may do, in words."""
        names = dict(self.SCOPES)
        return [str(names.get(scope, scope)) for scope in self.scopes]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[ApiToken]":
        """One's own."""
        return cls.objects.filter(user=actor)


class KnownDevice(models.Model):
    """A browser from which a person signed in: a sign-in from any other is told to them by mail."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="known_devices")
    # SHA-256 of the random cookie the browser keeps: who reads the table cannot make the cookie.
    digest = models.CharField(max_length=64)
    words = models.CharField(max_length=80)  # "Firefox on Linux", as the notice said it
    first_seen_at = models.DateTimeField()
    last_seen_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="device_known_once")]
