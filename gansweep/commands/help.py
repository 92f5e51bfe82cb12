"""Print `--help` from the declarations, without importing Hydra or torch."""

from __future__ import annotations

from gansweep.commands import COMMANDS
from gansweep.components import KINDS, is_foreign, options_of
from gansweep.config import DATA_DEFAULTS, DATA_PARAMS, DEFAULTS, PARAMS, check
from gansweep.loading import load_plugins, plugin_names
from gansweep.planning.overrides import as_arguments
from gansweep.planning.resources import conf_folder, packaged_choices
from gansweep.plugins import DATASETS, DISCRIMINATORS, GENERATORS
from gansweep.store.errors import one_line_errors
from gansweep.template import SUPPLIED, TYPES

USAGE = """\
usage: python -m gansweep [-m] [name=value ...]
       python -m gansweep COMMAND ...

Train a GAN, or a grid of GANs with -m, and compare the samples side by side.

  python -m gansweep                                          one run on 5,000 digits
  python -m gansweep -m lr=1e-4,5e-5 beta1=0.3,0.5,0.9        a grid: 6 rows, digits and faces
  python -m gansweep -m sweep=readme_table rows=0-5           rows of a list in sweeps/
  python -m gansweep -m search=lr,beta1 trials=20             search for the best settings
  python -m gansweep data=images data.root=FOLDER             your own pictures

commands (COMMAND --help describes the arguments):
{commands}

A repeated command trains only the missing runs; plan=true lists them. A sweep trains on all GPUs or
CPU cores of this machine; slots=slurm workers=8 trains it on a cluster. See docs/clusters.md for
workers, docs/searches.md for ranges and samplers, docs/judging.md for the distances, and
docs/reports.md for tables and galleries.
Exit codes: 0 all done, 1 some runs failed, 2 invalid input or disk error, 130 interrupted.
"""

OPTIONS = """\
options:
  -m, --multirun          train a sweep: several values of a parameter, or sweep=LIST
  -c, --cfg job           print the composed configuration and train nothing
  -sc, --shell-completion install=bash|zsh|fish
                          print shell completion: eval "$(gansweep -sc install=bash)"
  --hydra-help            the options of Hydra, which composes the configuration
  --version, -h, --help
"""


def _commands() -> str:
    """Return the lines of the commands."""
    lines = ((f"python -m gansweep {name} {c.usage}", c.help) for name, c in COMMANDS.items())
    return "\n".join(f"  {line:<36}  {help}" for line, help in lines)


def _demo() -> dict[str, object]:
    """Return the parameters that the default profile sets."""
    import yaml

    text = (conf_folder() / "profile" / "demo.yaml").read_text(encoding="utf-8")
    return {name: value for name, value in yaml.safe_load(text).items() if name in PARAMS}


def _print_options(kind: str, component: str) -> None:
    """Print the parameters of a component, one in a line."""
    for name, found in options_of(kind, component).items():
        valid = found.param.valid(name)
        words = " ".join(part for part in (found.param.help, f"({valid})" if valid else "") if part)
        print(f"    {as_arguments({name: found.default})[0]:<20}  {words}".rstrip())


def _print_foreign(arguments: list[str]) -> None:
    """Print the components from outside gansweep that the command line names or that plugins have.

    Raises UserError if one of them cannot be imported.
    """
    given = dict(a.split("=", 1) for a in arguments if "=" in a)
    load_plugins(plugin_names(given.get("plugins")))
    for kind, known in KINDS.items():
        own = known.registry.names()
        named = [n for n in given.get(kind, "").split(",") if n and n not in own]
        if kind == "command":  # its commas are its own
            named = [check(kind, given[kind])] if given.get(kind) else []
        registered = [n for n in known.registry.names() if is_foreign(kind, n)]
        for name in (*registered, *named):
            print(f"{kind}={name}: {known.registry[name].help or 'it has no docstring'}")
            _print_options(kind, name)
            print()


def _print_placeholders() -> None:
    """Print what a script's command may have between braces."""
    print("\nplaceholders of command=, apart from {lr} and all other hyperparameters:")
    for name, text in SUPPLIED.items():
        print(f"  {f'{{{name}}}':<22}  {text}")
    print(f"  {'{NAME:TYPE=DEFAULT}':<22}  the parameter command.NAME; TYPE: {', '.join(TYPES)}")


def print_help(arguments: list[str]) -> None:
    """Print the components that `arguments` name, the usage, and all parameters.

    Ends the program with a message if a component cannot be imported.
    """
    with one_line_errors():
        _print_foreign(arguments)
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
            if entry.builder:
                text = f"{entry.image_size} px: {entry.help}"
                print(f"  {f'{key}={entry.name}':<22}  {text}")
                _print_options(key, entry.name)
    print("\nlosses, penalties and optimizers, with their own parameters (disc_opt: as gen_opt):")
    for kind in ("loss", "penalty", "gen_opt"):
        for entry in KINDS[kind].registry:
            if not is_foreign(kind, entry.name):
                print(f"  {f'{kind}={entry.name}':<22}  {entry.help}")
                _print_options(kind, entry.name)
    _print_placeholders()
    print("\ndata sets:")
    for entry in filter(lambda entry: entry.builder, DATASETS):
        print(f"  {f'data={entry.name}':<22}  {entry.help}")
    print(f"\nprofiles: {', '.join(f'profile={name}' for name in packaged_choices('profile'))}")
    print("  demo (default, shown above): narrow networks, few steps")
    print("  narrow: the training of the documents, with networks of 1/16 of the width")
    print("  paper: the training of the documents, at full width\n")
    print(OPTIONS, end="")
