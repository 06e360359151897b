"""Operations: the table of sweeps, self-checks, the demonstration."""
