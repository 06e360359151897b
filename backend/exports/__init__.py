"""Exports: the sealed books as accountants' tools read them, streamed, the same bytes each time."""
