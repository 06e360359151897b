"""The JSON API: it translates, makes one domain call, translates back."""
