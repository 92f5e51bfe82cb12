"""Tests of parameters and overrides: a wrong value is refused in one line with the valid values."""

from __future__ import annotations

import dataclasses
import shlex
from contextlib import suppress

import pytest

from gansweep.config import (
    DEFAULTS,
    HYPERPARAMETERS,
    PARAMS,
    Config,
    check,
    total_steps,
    validate,
    widths,
)
from gansweep.planning.overrides import Axis, as_arguments, as_typed, command, read_axes
from gansweep.plugins import DISCRIMINATORS, GENERATORS
from gansweep.store.errors import UserError


def test_every_parameter_declares_help_and_label_and_has_a_valid_default() -> None:
    for name, param in PARAMS.items():
        assert param.help
        assert param.label or name not in HYPERPARAMETERS, (
            f"{name} can be a column and has no label"
        )
        assert check(name, DEFAULTS[name]) == DEFAULTS[name]


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("lr=abc", "lr=abc is not a number; valid: 0 < lr <= 1"),
        ("lr=0", "lr=0.0 is out of range; valid: 0 < lr <= 1"),
        ("lr=nan", "lr=nan is not a number"),
        ("lr=null", "lr=null is not a number"),
        ("beta1=1.5", "beta1=1.5 is out of range; valid: 0 <= beta1 < 1"),
        ("gen=9", "gen=9: valid: 1, 2, 3, 4, 5, conv2, conv3"),
        ("gen=conv4", "gen=conv4: did you mean 'conv3'? valid: 1, 2"),
        ("alhpa=0.2", "unknown parameter 'alhpa': did you mean 'alpha'? valid: 0 <= alpha < 1"),
        ("batch_size=0", "batch_size=0 is out of range; valid: batch_size >= 2"),
        ("batch_size=1.5", "batch_size=1.5 is not a whole number"),
        ("shuffle=2", "shuffle=2 is not true or false"),
        ("data=minst", "data=minst: did you mean 'mnist'? valid: celeba, images, mnist"),
        ("profile=x", "profile=x: valid: demo, narrow, paper"),
        (
            "learning_rate=0.1",
            "unknown parameter 'learning_rate': did you mean 'lr'? valid: 0 < lr",
        ),
        ("data=a/b", "data=a/b: for your own pictures write data=images data.root=a/b"),
        ("data.channels=2", "data.channels=2: valid: 1, 3"),
        ("data.epochs=-1", "data.epochs=-1 is out of range; valid: data.epochs >= 1"),
        ("seed=5000000000", "seed=5000000000 is out of range; valid: 0 <= seed <= 4294967295"),
        ("rows=0-5", "rows=0-5 is for sweeps: add -m"),
        ("name=x", "name=x is for sweeps: add -m"),
        ("data.rot=x", "unknown parameter 'data.rot': did you mean 'data.root'?"),
        ("+lr=1", "+lr=1: parameters can be set, not added or removed; write lr=…"),
        ("~lr", "~lr: parameters can be set, not added or removed"),
        ("lr=[1", "cannot read 'lr=[1'"),
        ("lr=[1,2]", "lr=[1,2]: [1, 2] is not a single value"),
        ("lr=1e-4,2e-4", "lr=1e-4,2e-4 has several values: add -m to sweep over them"),
        ("sweep=readme_table", "sweep=readme_table is for sweeps: add -m"),
    ],
)
def test_a_wrong_argument_is_refused_with_the_valid_values(argument: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        read_axes([argument], multirun=False)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("argument", "message"),
    [
        ("lr=1e-4,abc", "lr=abc is not a number"),
        ("gen=1,9", "gen=9: valid"),
        ("lr=interval(0,1)", "lr=interval(0,1): a grid takes a,b,c"),
        ("faces=glob(x*)", "faces=glob(x*) matches none of celeba, images, mnist"),
        ("gen=glob(x*)", "gen=glob(x*) matches none of 1, 2, 3"),
        ("lr=glob(*)", "lr=glob(*): lr has no names to choose from; write lr=a,b,c"),
        ("seed=interval(1,5)", "seed=interval(1,5): a seed has no interval; write seed=range(1,6)"),
        ("seed=1,2,1", "seed=1,2,1: a value is repeated"),
        ("data=mnist5k,mnist5k", "data=mnist5k,mnist5k: a value is repeated"),
        ("lr=1e-4,,5e-5", "cannot read 'lr=1e-4,,5e-5' (extraneous input ','); write name=value"),
        ("nme=x", "unknown parameter 'nme': did you mean 'name'? --help lists all parameters"),
        ("=1", "unknown parameter ''; --help lists all parameters"),
    ],
)
def test_a_wrong_value_within_a_grid_is_refused(argument: str, message: str) -> None:
    with pytest.raises(UserError) as error:
        read_axes([argument], multirun=True)
    assert str(error.value).startswith(message)


@pytest.mark.parametrize(
    ("argument", "expected"),
    [
        ("name=1e5", "1e5"), ("name=1_000", "1_000"), ("out=12", "12"), ("name=true", "true"),
        ("data.root=1e5", "1e5"), ("name=x", "x"), ("name=null", None), ("name='1e5'", "1e5"),
        ("search=[lr,beta1]", "lr,beta1"), ("rows=[0-3]", "0-3"), ("gen=1", "1"), ("lr=1e5", 1e5),
    ],
)  # fmt: skip
def test_text_is_kept_as_it_is_typed(argument: str, expected: object) -> None:
    typed = as_typed(argument)
    if argument.startswith("lr"):
        assert typed == argument
        return
    (axis,) = read_axes([typed], multirun=True)
    assert axis.values == (expected,)


def test_ranges_give_round_numbers() -> None:
    (axis,) = read_axes(["beta1=range(0.1,0.5,0.1)"], multirun=True)
    assert axis.values == (0.1, 0.2, 0.3, 0.4)
    (axis,) = read_axes(["beta1=range(0,0.9,0.01)"], multirun=True)
    assert len(axis.values) == 90
    assert max(axis.values) == 0.89
    (axis,) = read_axes(["beta1=range(0.3,0,-0.1)"], multirun=True)
    assert axis.values == (0.3, 0.2, 0.1)


def test_the_same_parameter_twice_is_refused() -> None:
    with pytest.raises(UserError, match="lr is given twice"):
        read_axes(["lr=0.1", "lr=0.2"], multirun=False)


def test_grids_in_hydras_grammar_become_typed_values() -> None:
    arguments = ["lr=1e-4,5e-05", "gen=1,conv2", "seed=range(1,4)", "rows=0-5,34", "data=glob(mn*)"]
    axes = read_axes([*arguments, "hydra/launcher=basic", "hydra.verbose=true"], multirun=True)
    assert axes == [
        Axis("lr", (0.0001, 0.00005)),
        Axis("gen", ("1", "conv2")),
        Axis("seed", (1, 2, 3)),
        Axis("rows", ("0-5,34",)),
        Axis("data", ("mnist", "mnist5k")),
    ]


@pytest.mark.parametrize(("one", "other"), [("epochs", "steps"), ("steps", "epochs")])
def test_steps_replace_a_profiles_epochs_and_epochs_its_steps(one: str, other: str) -> None:
    axes = {axis.name: axis.values for axis in read_axes([f"{one}=3"], multirun=False)}
    assert axes == {one: (3,), other: (None,)}
    both = read_axes(["epochs=3", "steps=7"], multirun=False)
    assert [axis.values for axis in both] == [(3,), (7,)]


def test_arguments_survive_hydras_grammar() -> None:
    values = {"lr": 1e-05, "width": None, "shuffle": True, "gen": "conv2", "name": "it's 1,2 = a"}
    axes = read_axes(as_arguments(values), multirun=True)
    assert {axis.name: axis.values[0] for axis in axes} == values


def test_the_recorded_command_gives_the_same_configuration() -> None:
    config = Config(lr=1e-5, gen="3", gen_drop=0.5, width=0.25, steps=7, shuffle=True, seed=3)
    config.data.root = "some folder/x"
    arguments = read_axes(shlex.split(command(config, steps=7))[3:], multirun=False)
    flat = {axis.name: axis.values[0] for axis in arguments}
    assert flat.pop("data") == "mnist5k"
    assert flat.pop("data.root") == "some folder/x"
    assert dataclasses.replace(Config(data=config.data), **flat) == config


@pytest.mark.parametrize("which", ["gen_drop", "disc_drop"])
def test_dropout_on_a_network_without_dropout_is_refused(which: str) -> None:
    config = Config(gen="1", disc="1", **{which: 0.5})
    with pytest.raises(UserError, match=rf"{which}=0\.5, but .* has no dropout layer \(n/a\)"):
        validate(config)
    validate(Config(gen="3", disc="3", **{which: 0.5}))


def test_networks_of_two_image_sizes_are_refused() -> None:
    with pytest.raises(UserError, match=r"with gen=conv2 use disc=conv2, conv3"):
        validate(Config(gen="conv2", disc="1"))


@pytest.mark.parametrize(
    ("epochs", "steps", "of_data", "expected"),
    [
        (2, None, None, 20), (None, 7, None, 7), (2, 7, None, 7), (2, 70, None, 20),
        (None, None, 3, 30),
    ],
)  # fmt: skip
def test_the_number_of_steps_of_a_run(
    epochs: int | None, steps: int | None, of_data: int | None, expected: int
) -> None:
    config = Config(batch_size=10, epochs=epochs, steps=steps)
    config.data.epochs = of_data
    assert total_steps(config, images=109) == expected


def test_a_run_without_an_end_or_with_too_few_images_is_refused() -> None:
    with pytest.raises(UserError, match="set epochs=N or steps=N"):
        total_steps(Config(), images=100)
    with pytest.raises(UserError, match="batch_size=32, but mnist5k has only 31 images"):
        total_steps(Config(steps=1), images=31)


def test_widths() -> None:
    assert widths(Config(width=0.5)) == (0.5, 0.5)
    config = Config()
    expected = (GENERATORS[config.gen].demo_width, DISCRIMINATORS[config.disc].demo_width)
    assert widths(config) == expected


def another(name: str) -> object:
    """Return a valid value that is not the parameter's default."""
    param, default = PARAMS[name], DEFAULTS[name]
    if name == "model":  # gansweep has none of its own
        return "examples.lightning_gan:DenseGAN"
    if name == "command":
        return "python train.py --steps {steps} --rate={lr} --out '{out}'"
    if param.choices is not None:
        return next(choice for choice in param.names() if choice != default)
    if isinstance(default, bool):
        return not default
    low, high = param.low or 0, 1 if param.high is None else param.high
    if isinstance(default, int) or default is None:
        wanted: list[object] = [int(low) + 3, (low + high) / 2]
    else:
        wanted = [low + 0.25 * (high - low), low + 0.75 * (high - low)]
    for value in wanted:
        with suppress(UserError):
            if check(name, value) != default:
                return check(name, value)
    raise AssertionError(f"{name}: no other value was found")


@pytest.mark.parametrize("name", HYPERPARAMETERS)
def test_every_hyperparameter_is_in_the_recorded_command(name: str) -> None:
    value = another(name)
    words = shlex.split(command(dataclasses.replace(Config(), **{name: value}), steps=7))[3:]
    recorded = {axis.name: axis.values[0] for axis in read_axes(words, multirun=False)}
    expected = {"steps": 7, "epochs": None}.get(name, value)
    assert recorded[name] == expected
