"""Numbered papers issued by the host: what they say, their files, their unbroken series."""
