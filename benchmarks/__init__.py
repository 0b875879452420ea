"""Benchmarks of the vectorization engine: ratios and counts, each taken in one run beside what it is compared with."""
