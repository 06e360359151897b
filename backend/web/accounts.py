"""What the pages of django-allauth lack here: a password link that accepts our ids, which hold an underscore."""

from allauth.account.views import password_reset_from_key
from django.urls import re_path

urlpatterns = [
    re_path(
        r"^accounts/password/reset/key/(?P<uidb36>[0-9A-Za-z_]+)-(?P<key>.+)/$",
        password_reset_from_key,
        name="account_reset_password_from_key",
    ),
]
