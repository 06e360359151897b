"""Double entry, append-only: purses, journal entries, postings. PostgreSQL refuses what must not be."""
