"""Promises. A promise is never money: nothing is booked here."""
