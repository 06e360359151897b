"""Tronc: the ledger of a trusted third party for the common pots of libre tools."""

__version__ = "0.1.0"
