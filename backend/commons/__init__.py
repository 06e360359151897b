"""Commons, their budgets (a tree), the charters that rule them and their periods."""
