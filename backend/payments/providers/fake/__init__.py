"""A provider for the demonstration and the tests: a server on this machine that speaks enough of Stripe's API."""
