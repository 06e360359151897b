"""Who is paid, and on which account."""
