"""Sentences over a trace, in French and English: why a person gets her amount, and what the whole closing did."""

from backend.allocation.texts.contributor import explain
from backend.allocation.texts.money import Money
from backend.allocation.texts.sentences import SENTENCES
from backend.allocation.texts.treasurer import explain_whole

__all__ = ["SENTENCES", "Money", "explain", "explain_whole"]
