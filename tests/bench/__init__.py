"""Benchmarks: `./run bench [name]`. Each prints JSON objects with a `ratio` measured in one run."""
