"""What tests and benchmarks share: made-up sweeps, toy searches, networks to compare with."""
