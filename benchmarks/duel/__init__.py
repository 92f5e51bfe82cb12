"""The head-to-head: gansweep's search against what a user would take in its place.

Every contest has one contestant, one seed, two processes of one thread and the same wall time, in
which start-up counts. All contestants train the networks of Ray's example on the same digits, and
search the same ranges of three parameters. `run` holds the contests, `report` writes the table.
"""
