"""Long proofs: `./run prove [name]`. Each module has a main that takes --seed, --rounds and --slice."""
