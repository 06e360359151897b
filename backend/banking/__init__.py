"""Bank statements: read, imported, and matched with what the books expect."""
