"""gansweep: hyperparameter sweeps for GANs, from one command to a table with pictures.

The words that the code uses, and the files that hold the things:

run         one configuration with one seed, trained once, in one folder: OUT/runs/ID
id          a run's name: a hash of what can change its numbers, and its seed
row         one configuration on each data set with each seed: the runs of a table's row
sweep       rows planned together: a grid of the command line, or a row list in sweeps/
row list    a YAML file with the rows of a sweep, or the space of a search
manifest    what a sweep consists of: OUT/sweeps/NAME/manifest.json
profile     a set of defaults: how wide, how long, on which data (conf/profile)
slot        a share of a device in which one run trains at a time
evaluation  the judge's measurement of a run at one step while it trains
score       the judge's final measurement of a run's best weights, on other real images
best step   the evaluation at which a run was best; document 000 calls it the equilibrium
flag        a warning that the judge attaches to a run: collapsed, never started, diverged
trial       a setting that a search tries: one or several runs
report      the table of one or several sweeps with its pictures: reports/NAME
"""

__version__ = "0.1.0"
