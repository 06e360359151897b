"""Personal data: what a person may take away, what is erased and when, what they accepted."""
