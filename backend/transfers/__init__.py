"""Money that moves inside the house: opening balances, and transfers between budgets, their reserves and deficits."""
