"""Users, the host and its bank accounts, organisations, roles and API tokens."""

from typing import Any, ClassVar

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from backend.core.ids import ID_LENGTH, new_id


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
    # What Django's account machinery asks of a user; nobody is staff here, there is no admin site.
    is_staff = False
    is_superuser = False
    date_joined = models.DateTimeField(auto_now_add=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []
    objects: ClassVar[UserManager] = UserManager()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(language__in=["fr", "en"]), name="user_language_known")]

    def __str__(self) -> str:
        """The name shown to others."""
        return self.name

    @property
    def shown_publicly(self) -> str:
        """The name on public pages: the one the person chose, else a pseudonym."""
        return self.public_name or str(_("Contributor %(tail)s") % {"tail": self.pk[-4:]})

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

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(only=True), name="host_is_only"),
            models.CheckConstraint(condition=Q(fee_bp__lte=10_000), name="host_fee_at_most_all"),
            models.CheckConstraint(
                condition=Q(fiscal_year_starts_on__gte=1, fiscal_year_starts_on__lte=12), name="host_fiscal_year_month"
            ),
        ]


class HostBankAccount(models.Model):
    """A bank account of the host; its purse in the ledger is found by its id."""

    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    host = models.ForeignKey(Host, on_delete=models.PROTECT, related_name="bank_accounts")
    name = models.CharField(max_length=80)
    iban = models.CharField(max_length=34, unique=True)
    bic = models.CharField(max_length=11, blank=True)
    currency = models.CharField(max_length=3)


class Organisation(models.Model):
    """Funds pots, or is paid for its people's work."""

    KINDS: ClassVar = [
        ("association", _("association")),
        ("public", _("public body")),
        ("company", _("company")),
        ("cooperative", _("cooperative")),
        ("informal", _("informal group")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    name = models.CharField(max_length=140)
    kind = models.CharField(max_length=16, choices=KINDS)
    siren = models.CharField(max_length=9, blank=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        """Its name."""
        return self.name

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[Organisation]":
        """The organisations whose private pages this person may read."""
        from backend.identity.permissions import holds

        if holds(actor, "treasurer", "auditor"):
            return cls.objects.all()
        return cls.objects.filter(id__in=Role.objects.filter(user=actor).values("scope"))


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


class ApiToken(models.Model):
    """A key for the API: only its SHA-256 is kept, the text is shown once."""

    SCOPES: ClassVar = [
        ("contributions:write", _("declare contributions")),
        ("reviews:write", _("review contributions")),
        ("pledges:write", _("pledge")),
        ("periods:write", _("close periods")),
        ("read", _("read")),
        ("ledger:read", _("read the books")),
    ]
    id = models.CharField(primary_key=True, max_length=ID_LENGTH)
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="api_tokens")
    name = models.CharField(max_length=80)
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=24)
    scopes = models.JSONField()
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    last_used_on = models.DateField(null=True)
    revoked_at = models.DateTimeField(null=True)

    @property
    def scope_names(self) -> list[str]:
        """What the token may do, in words."""
        names = dict(self.SCOPES)
        return [str(names.get(scope, scope)) for scope in self.scopes]

    @classmethod
    def visible_to(cls, actor: User) -> "models.QuerySet[ApiToken]":
        """One's own."""
        return cls.objects.filter(user=actor)
