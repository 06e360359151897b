"""The tests of Tronc."""
