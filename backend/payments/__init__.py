"""Money in: receipts, booked with the host's fee frozen at receipt."""
