"""Mail: composed from events, kept in the outbox, sent by a sweep."""
