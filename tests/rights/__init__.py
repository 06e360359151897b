"""Who may see and do what: one table, and the tests generated from it."""
