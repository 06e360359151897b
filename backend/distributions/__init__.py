"""Distributions: a closed period is computed, published and approved by another person; then people are owed."""
