"""Tests of the file `run` itself."""
