"""The command line of Tronc: log work, follow it, ask what one would get."""

__version__ = "0.1.0"
