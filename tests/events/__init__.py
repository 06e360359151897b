"""Events: what they hold, what PostgreSQL refuses, what was refused to people."""
