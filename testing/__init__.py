"""Code that tests and benchmarks share: synthetic sweeps, toy searches and reference networks."""
