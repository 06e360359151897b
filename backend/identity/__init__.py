"""People, the host, organisations, roles, permissions and API tokens."""
