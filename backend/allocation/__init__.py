"""Pure division of money: integers in, integers out; no Django, no clock, no input or output."""
