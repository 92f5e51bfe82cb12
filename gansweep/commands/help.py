"""`--help`, written from the declarations: no Hydra, no torch."""

from __future__ import annotations

from gansweep.commands import COMMANDS
from gansweep.config import DATA_DEFAULTS, DATA_PARAMS, DEFAULTS, PARAMS
from gansweep.planning.overrides import as_arguments
from gansweep.planning.resources import conf_folder, packaged_choices
from gansweep.plugins import DATASETS, DISCRIMINATORS, GENERATORS

USAGE = """\
usage: python -m gansweep [-m] [name=value ...]
       python -m gansweep COMMAND ...

Train a GAN, or with -m a grid of them, and lay the samples side by side.

  python -m gansweep                                          one run on 5,000 digits
  python -m gansweep -m lr=1e-4,5e-5 beta1=0.3,0.5,0.9        a grid: 6 rows, digits and faces
  python -m gansweep -m sweep=readme_table rows=0-5           rows of a list in sweeps/
  python -m gansweep -m search=lr,beta1 trials=20             search for the best settings
  python -m gansweep data=images data.root=FOLDER             your own pictures

commands, each with --help of its own:
{commands}

A command typed again trains only what is missing; plan=true says what that is. A sweep trains on
all GPUs or CPU cores of this machine; docs/clusters.md tells of Slurm and Ray, docs/searches.md of
ranges and samplers, docs/judging.md of the distances, docs/reports.md of tables and galleries.
Exit codes: 0 all done, 1 some runs failed, 2 bad input or a disk that refuses, 130 interrupted.
"""

OPTIONS = """\
options:
  -m, --multirun          sweep: several values a parameter, or sweep=LIST
  -c, --cfg job           show the composed configuration and train nothing
  -sc, --shell-completion install=bash|zsh|fish
                          print shell completion: eval "$(gansweep -sc install=bash)"
  --hydra-help            the options of Hydra, which composes the configuration
  --version, -h, --help
"""


def _commands() -> str:
    lines = ((f"python -m gansweep {name} {c.usage}", c.help) for name, c in COMMANDS.items())
    return "\n".join(f"  {line:<36}  {help}" for line, help in lines)


def _demo() -> dict[str, object]:
    """What the default profile sets."""
    import yaml

    text = (conf_folder() / "profile" / "demo.yaml").read_text(encoding="utf-8")
    return {name: value for name, value in yaml.safe_load(text).items() if name in PARAMS}


def print_help() -> None:
    print(USAGE.format(commands=_commands()))
    group = ""
    defaults = {**DEFAULTS, **DATA_DEFAULTS, **_demo()}
    params = {**PARAMS, **DATA_PARAMS}
    groups = list(dict.fromkeys(param.group for param in params.values()))
    for name, param in sorted(params.items(), key=lambda item: groups.index(item[1].group)):
        if param.group != group:
            group = param.group
            print(f"{group}:")
        default = as_arguments({name: defaults[name]})[0]
        valid = param.valid(name)
        print(f"  {default:<22}  {param.help}{f' ({valid})' if valid else ''}")
    print("\nnetworks:")
    for registry in (GENERATORS, DISCRIMINATORS):
        for entry in registry:
            key = "gen" if registry is GENERATORS else "disc"
            print(f"  {f'{key}={entry.name}':<22}  {entry.image_size} px: {entry.help}")
    print("\ndata sets:")
    for entry in DATASETS:
        print(f"  {f'data={entry.name}':<22}  {entry.help}")
    print(f"\nprofiles: {', '.join(f'profile={name}' for name in packaged_choices('profile'))}")
    print("  demo (default, shown above): narrow networks, few steps")
    print("  narrow: as the documents trained, in networks of 1/16 of the width")
    print("  paper: as the documents trained, at full width\n")
    print(OPTIONS, end="")
