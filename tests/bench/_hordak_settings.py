"""The Django project in which django-hordak is measured: nothing but what it needs."""

import os

import dj_database_url

SECRET_KEY = "measured, never served"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "mptt", "djmoney", "hordak"]
DATABASES = {"default": dj_database_url.parse(os.environ["DATABASE_OWNER_URL"])}
DATABASES["default"].setdefault("OPTIONS", {})["options"] = "-c role=tronc_owner"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
USE_TZ = True
DEFAULT_CURRENCY = "EUR"
CURRENCIES = ("EUR",)
