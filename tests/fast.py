"""A password hash that costs nothing, for the many people the tests make; the product’s own is tested as such."""

from django.contrib.auth.hashers import PBKDF2PasswordHasher


class QuickHasher(PBKDF2PasswordHasher):
    """PBKDF2 with one round: real processes can still verify it."""

    iterations = 1
