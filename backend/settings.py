"""Settings: everything that changes between installations comes from the environment."""

import os
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import dj_database_url
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext_lazy as _

from backend.core import demo_mode, logs, provider_mode
from backend.core.limits import ROUTE_RATES, STRANGERS_SECONDS

BASE = Path(__file__).resolve().parent


def env(name: str, default: str | None = None) -> str:
    """The value of an environment variable, or of the file that NAME_FILE names; raises when both are absent."""
    if path := os.environ.get(f"{name}_FILE"):
        return Path(path).read_text(encoding="utf-8").strip()
    value = os.environ.get(name, default)
    if value is None:
        raise ImproperlyConfigured(f"The environment variable {name} is missing: see deploy/env.example.")
    return value


def env_flag(name: str) -> bool:
    """Whether an environment variable is set to 1, true or yes."""
    return os.environ.get(name, "").lower() in {"1", "true", "yes"}


DEBUG = False
# Invented people and one click to sign in as any of them: refused wherever others could reach it.
DEMO = env_flag("TRONC_DEMO")
SECRET_KEY = env("TRONC_SECRET_KEY")
# "<number>:<base64 of 32 bytes>", comma separated; the first one encrypts, all decrypt.
ENCRYPTION_KEYS = env("TRONC_ENCRYPTION_KEYS")
BASE_URL = env("TRONC_BASE_URL", "http://localhost:8000").rstrip("/")
# Plain http on the loopback interface only (./run and tests): browsers would drop Secure cookies there.
LOOPBACK_HTTP = env_flag("TRONC_LOOPBACK_HTTP")
if DEMO and (_why := demo_mode.hindrance(os.environ, BASE_URL)):
    raise ImproperlyConfigured(_why)
_host = urlsplit(BASE_URL).hostname or "localhost"
ALLOWED_HOSTS = [_host, "localhost", "127.0.0.1"] if LOOPBACK_HTTP else [_host]
CSRF_TRUSTED_ORIGINS = [BASE_URL]

# --- applications, from the top of the house to its foundations -----------------------------------------------
INSTALLED_APPS = [
    "backend.web",
    "backend.api",
    "backend.operations",
    "backend.privacy",
    "backend.exports",
    "backend.notifications",
    "backend.banking",
    "backend.payouts",
    "backend.distributions",
    "backend.payments",
    "backend.transfers",
    "backend.contributions",
    "backend.pledges",
    "backend.commons",
    "backend.documents",
    "backend.payees",
    "backend.ledger",
    "backend.identity",
    "backend.events",
    "backend.core",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "rest_framework",
    "csp",
]
MIDDLEWARE = [
    "backend.core.logs.RequestLog",
    "backend.core.bodies.WholeRequest",
    "backend.web.middleware.BrowserHeaders",
    "csp.middleware.CSPMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "backend.web.health.Probes",
    "backend.web.audit_trail.AuditTrail",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "backend.web.languages.Languages",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "backend.web.verbs.PageVerbs",
    "allauth.account.middleware.AccountMiddleware",
    "backend.web.middleware.PlainRefusals",
    "backend.web.middleware.PlainText",
    "backend.web.middleware.HostClockMiddleware",
    "backend.web.session_life.SessionLife",
    "backend.web.limits.RouteLimits",
    "backend.web.middleware.DomainErrorMiddleware",
    "backend.web.proofs.FactorGate",
]
ROOT_URLCONF = "backend.urls"
WSGI_APPLICATION = "backend.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE / "web" / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "backend.web.context.shell",
            ],
        },
    }
]

# --- PostgreSQL: the application serves as tronc_app, migrations run as tronc_owner ---------------------------
DATABASE_ROLE = os.environ.get("TRONC_DATABASE_ROLE", "tronc_app")
_database_url = env("DATABASE_URL")
if DATABASE_ROLE == "tronc_owner":
    _database_url = env("DATABASE_OWNER_URL", _database_url)
_database = dj_database_url.parse(_database_url, conn_max_age=0)
if _database["ENGINE"] != "django.db.backends.postgresql":
    raise ImproperlyConfigured("DATABASE_URL must name a PostgreSQL database: postgresql://user@host/name.")
_database.setdefault("OPTIONS", {})
_statement_timeout = os.environ.get("TRONC_STATEMENT_TIMEOUT", "60s" if DATABASE_ROLE == "tronc_app" else "0")
_database["OPTIONS"]["options"] = (
    f"-c role={DATABASE_ROLE} -c lock_timeout=10s -c statement_timeout={_statement_timeout} -c timezone=UTC"
)
_database["OPTIONS"]["prepare_threshold"] = 1_000_000_000  # only what asks for it is prepared: the posting of entries
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# --- Redis or Valkey: one address, two spellings of the same socket -------------------------------------------
REDIS_URL = env("REDIS_URL", "redis://127.0.0.1:6379/0")
_redis = urlsplit(REDIS_URL)
CELERY_BROKER_URL = (
    f"redis+socket://{_redis.path}?virtual_host={parse_qs(_redis.query).get('db', ['0'])[0]}"
    if _redis.scheme == "unix"
    else REDIS_URL
)

# --- people ---------------------------------------------------------------------------------------------------
AUTH_USER_MODEL = "identity.User"
AUTHENTICATION_BACKENDS = ["backend.web.demo.PublicPassword"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 15}},
    {"NAME": "backend.identity.passwords.MaximumLength"},
    {"NAME": "backend.identity.passwords.Guessable"},
]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_SIGNUP_FORM_CLASS = "backend.web.forms.SignupForm"
ACCOUNT_EMAIL_VERIFICATION = "mandatory"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_EMAIL_NOTIFICATIONS = True  # the person hears of each change of password or address
ACCOUNT_ADAPTER = "backend.web.letters.AccountLetters"
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_SESSION_REMEMBER = False  # nothing to choose: a session ends with the browser, and after 12 hours at most
ACCOUNT_REAUTHENTICATION_REQUIRED = True  # before changing an address: a password alone is not enough beside a factor
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
STRANGERS_WAIT = 0.0 if LOOPBACK_HTTP else STRANGERS_SECONDS
# Failures count by address and by account; a browser that the account knows has its own count (backend.web.limits), so
# that nobody locks somebody else out. A new password, asked for by mail, forgets the failures.
ACCOUNT_RATE_LIMITS = {
    "login": "30/m/ip",
    "login_failed": "10/15m/ip,10/15m/key,100/30d/key",
    "login_failed_known": "10/15m/key",
    "reauthenticate": "10/15m/user",
    "change_password": "10/15m/user",
    "reset_password": "20/15m/ip,5/15m/key",
    "reset_password_from_key": "20/15m/ip",
    "request_login_code": "20/15m/ip,5/15m/key",
    "signup": "20/15m/ip",
    "csp_report": "20/m/ip",
    **ROUTE_RATES,
}
ACCOUNT_LOGIN_BY_CODE_ENABLED = True  # the sign-in link: a code by mail, good in the browser that asked for it
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 900
PASSWORD_RESET_TIMEOUT = 3600
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = LOOPBACK_HTTP
MFA_ADAPTER = "backend.identity.factors.SealedFactors"
MFA_ALLOW_UNVERIFIED_EMAIL = True  # nobody signs in before their address is confirmed; a second address may be added
MFA_FORMS = {
    "authenticate": "backend.web.factors.CodeForm",
    "reauthenticate": "backend.web.factors.CodeAgainForm",
    "activate_totp": "backend.web.factors.FirstCodeForm",
    "add_webauthn": "backend.web.factors.PasskeyForm",
}
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_TOTP_TOLERANCE = 1  # a code typed as it changes, or on a clock half a minute off, is still taken, once
MFA_WEBAUTHN_USER_VERIFICATION = "required"  # a passkey asks for its own code, finger or face
ACCOUNT_LOGOUT_REDIRECT_URL = "home"
ACCOUNT_DEFAULT_HTTP_PROTOCOL = urlsplit(BASE_URL).scheme
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "home"
# Sign-in limits live in the database: losing Redis must not open the door.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "core_cache",
        "OPTIONS": {"MAX_ENTRIES": 100_000},  # never cull a limit that still counts
    }
}

# --- browser --------------------------------------------------------------------------------------------------
SESSION_COOKIE_AGE = 12 * 3600
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = LANGUAGE_COOKIE_SECURE = not LOOPBACK_HTTP
SESSION_COOKIE_NAME = "tronc_session" if LOOPBACK_HTTP else "__Host-tronc_session"
CSRF_COOKIE_NAME = "tronc_csrf" if LOOPBACK_HTTP else "__Host-tronc_csrf"
LANGUAGE_COOKIE_NAME = "tronc_language" if LOOPBACK_HTTP else "__Host-tronc_language"
DEVICE_COOKIE_NAME = "tronc_device" if LOOPBACK_HTTP else "__Host-tronc_device"
CSRF_COOKIE_HTTPONLY = LANGUAGE_COOKIE_HTTPONLY = True
CSRF_COOKIE_SAMESITE = LANGUAGE_COOKIE_SAMESITE = "Lax"
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"  # no cookie more for a sentence
SECURE_SSL_REDIRECT = not LOOPBACK_HTTP
SECURE_REDIRECT_EXEMPT = [r"^(healthz|readyz|metrics)$", r"^v1/"]  # the API refuses plain http, it does not redirect it
SECURE_PROXY_SSL_HEADER = None if LOOPBACK_HTTP else ("HTTP_X_FORWARDED_PROTO", "https")
# The proxy writes it over whatever the client sent (deploy/Caddyfile): the limits of sign-in count by it.
ALLAUTH_TRUSTED_CLIENT_IP_HEADER = None if LOOPBACK_HTTP else "X-Real-IP"
SECURE_HSTS_SECONDS = 0 if LOOPBACK_HTTP else 366 * 24 * 3600
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = not LOOPBACK_HTTP
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": ["'none'"],
        "script-src": ["'self'"],
        "style-src": ["'self'"],
        "img-src": ["'self'"],
        "form-action": ["'self'"],
        "base-uri": ["'none'"],
        "frame-ancestors": ["'none'"],
        "object-src": ["'none'"],
        "report-uri": "/csp-reports/",
        "report-to": "csp",
    }
}
REPORTING_ENDPOINTS = f'csp="{BASE_URL}/csp-reports/"'
# Who reads what people report about a weakness; printed in /.well-known/security.txt (RFC 9116).
SECURITY_CONTACT = env("TRONC_SECURITY_CONTACT", f"security@{'localhost' if LOOPBACK_HTTP else _host}")
DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024  # bytes of a form or JSON body; files are counted apart
FILE_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 1000
STATEMENT_MAX_BYTES = 20 * 1024 * 1024
# The chart of accounts of this host; empty for the one shipped (ledger/plan.toml).
CHART_FILE = os.environ.get("TRONC_CHART_FILE", "")
# Where people write about their data, and what the operator adds to the legal notice (paragraphs after an empty line).
LEGAL_CONTACT = env("TRONC_CONTACT", "")
LEGAL_TEXT = env("TRONC_LEGAL", "")
SEAL_KEYS = env("TRONC_SEAL_KEYS", "/var/lib/tronc-seal")  # the folder of the keys that sign the heads of the log

# --- payment provider: none unless named; every other way of paying works without -------------------------------
PROVIDER = env("TRONC_PROVIDER", "")  # empty, `stripe`, or `fake` (a demonstration's, on this machine)
STRIPE_KEY = env("TRONC_STRIPE_KEY", "").strip()
# Blanks between several: all are accepted, so that a secret is changed without losing an event.
STRIPE_WEBHOOK_SECRETS = env("TRONC_STRIPE_WEBHOOK_SECRETS", "").split()
STRIPE_ACCOUNT = env("TRONC_STRIPE_ACCOUNT", "")  # acct_…: events of any other are refused
FAKE_PROVIDER = env("TRONC_FAKE_PROVIDER", "http://127.0.0.1:8290").rstrip("/")
DUNNING_FAILURES = int(env("TRONC_DUNNING_FAILURES", "3"))  # failed attempts in a row after which nothing more is tried
if _why := provider_mode.hindrance(
    name=PROVIDER, key=STRIPE_KEY, secrets=STRIPE_WEBHOOK_SECRETS, fake=FAKE_PROVIDER, base_url=BASE_URL,
    failures=DUNNING_FAILURES,
):  # fmt: skip
    raise ImproperlyConfigured(_why)
# Where a form of ours may send a browser to pay; TRONC_STRIPE_PAGES adds domains of the host's own at Stripe.
PROVIDER_PAGES = {
    "stripe": [
        "https://checkout.stripe.com",
        "https://billing.stripe.com",
        *env("TRONC_STRIPE_PAGES", "").split(),
    ],
    "fake": [FAKE_PROVIDER],
}

# --- languages and static files -------------------------------------------------------------------------------
LANGUAGE_CODE = "fr"
LANGUAGES = [("fr", _("French")), ("en", _("English"))]
LOCALE_PATHS = [BASE / "locale"]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
STATIC_URL = "static/"
WHITENOISE_USE_FINDERS = True
WHITENOISE_AUTOREFRESH = False

# --- mail: everything goes through the outbox table; a sweep hands it to this transport -----------------------
EMAIL_BACKEND = "backend.notifications.outbox.OutboxBackend"
DEFAULT_FROM_EMAIL = env("TRONC_MAIL_FROM", f"tronc@{'localhost' if LOOPBACK_HTTP else _host}")
MAIL_FOLDER = os.environ.get("TRONC_MAIL_FOLDER", "")
MAIL_TRANSPORT = (
    "django.core.mail.backends.filebased.EmailBackend" if MAIL_FOLDER else "django.core.mail.backends.smtp.EmailBackend"
)
EMAIL_FILE_PATH = MAIL_FOLDER or None
SMTP_NAMED = bool(os.environ.get("TRONC_SMTP_HOST") or os.environ.get("TRONC_SMTP_HOST_FILE"))
EMAIL_HOST = env("TRONC_SMTP_HOST", "localhost")
EMAIL_USE_SSL = env_flag("TRONC_SMTP_TLS")  # encrypted from the first byte
EMAIL_USE_TLS = env_flag("TRONC_SMTP_STARTTLS")
_smtp_port = env("TRONC_SMTP_PORT", "465" if EMAIL_USE_SSL else "587" if EMAIL_USE_TLS else "25")
EMAIL_PORT = int(_smtp_port) if _smtp_port.isdecimal() else 0  # 0 is refused by a system check
EMAIL_HOST_USER = env("TRONC_SMTP_USER", "")
EMAIL_HOST_PASSWORD = env("TRONC_SMTP_PASSWORD", "")
MAIL_BOUNCES = env("TRONC_MAIL_BOUNCES", "")  # the envelope's sender, where delivery reports come back
EMAIL_TIMEOUT = 20

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["backend.api.auth.BearerToken"],
    "DEFAULT_PERMISSION_CLASSES": ["backend.api.auth.HasScope"],
    "DEFAULT_PARSER_CLASSES": ["backend.api.parsers.StrictJSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "EXCEPTION_HANDLER": "backend.api.errors.problem",
    "DEFAULT_THROTTLE_CLASSES": ["backend.api.throttle.TokenThrottle"],
    "DEFAULT_THROTTLE_RATES": {"user": "600/min"},
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "backend.api.openapi.ContractSchema",
}
# Nothing is done to what openapi.py writes: each list of words stays where it is said.
SPECTACULAR_SETTINGS = {"OAS_VERSION": "3.1.0", "POSTPROCESSING_HOOKS": []}

# --- what operators read: see deploy/runbook.md ----------------------------------------------------------------
LOGGING = logs.config(logs.chosen_form(os.environ))
# Who shows it may read /metrics from afar; without it, only processes of this machine may.
METRICS_TOKEN = env("TRONC_METRICS_TOKEN", "")
