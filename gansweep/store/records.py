"""The types of the records in the JSON files of a run's folder.

docs/files.md describes the fields and their units. Classes whose names begin with `_` have the
fields that every version has written, on which readers rely. All other fields may be absent in the
records of older versions, or where they do not apply. Readers ignore unknown fields, so that they
can read the records of newer versions.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypedDict

from gansweep.store.check import fault, number

# config.json -----------------------------------------------------------------------------------


def ends_by_steps(params: Mapping[str, Any]) -> bool:
    """Return whether a run has so many steps whatever its `epochs` say, as in most profiles."""
    return params.get("steps") is not None and params.get("command") is None


class _Data(TypedDict):
    name: str
    images: int
    size: int


class DataRecord(_Data, total=False):
    """The data set that a run is trained on."""

    label: str
    folder: str
    channels: int
    sha256: str
    held: int
    held_sha256: str
    own_test: bool
    classes: dict[str, int]
    labels_sha256: str


class _IdentityData(TypedDict):
    images: int


class IdentityData(_IdentityData, total=False):
    """The values of the data set that are hashed into a run's id."""

    name: str
    sha256: str
    labels: str


class Identity(TypedDict):
    """The values that are hashed into a run's id: these fields, and hyperparameters by name."""

    batch_size: int | None
    precision: str | None
    gen_width: float
    disc_width: float
    steps: int | None
    data: IdentityData


class _RunConfig(TypedDict):
    identity: Identity
    data: DataRecord


class RunConfig(_RunConfig, total=False):
    """config.json: the configuration of the run, written when the run is planned."""

    id: str
    params: dict[str, Any]
    command: str
    gansweep: str


# environment.json ------------------------------------------------------------------------------


class LayerRate(TypedDict):
    """The learning rates of one layer."""

    layer: str
    weight: float
    bias: float | None


class Rates(TypedDict):
    """The learning rates of each network's layers."""

    generator: list[LayerRate]
    discriminator: list[LayerRate]


class _Environment(TypedDict):
    gansweep: str
    commit: str | None
    packages: dict[str, str | None]
    device: str
    hardware: str


class Environment(_Environment, total=False):
    """environment.json: the machine and software of a run, written when training begins."""

    python: str
    system: str
    threads: int
    networks: dict[str, str]
    parameters: NetworkSizes
    rates: Rates


# The streams: one object in each line ----------------------------------------------------------


class _Line(TypedDict):
    step: int


class MetricsLine(_Line, total=False):
    """A line of metrics.jsonl: the losses after a step. Values that are not finite are null."""

    epoch: float
    seconds: float
    memory_mib: int
    loss_d: float | None
    loss_g: float | None
    penalty: float | None
    d_real: float | None
    d_fake: float | None
    output_real: float | None
    output_fake: float | None
    grad_d: float | None
    grad_g: float | None


class Spread(TypedDict, total=False):
    """The diversity of generated images, in comparison with the real images."""

    modes: float | None
    distinct: float | None
    variety: float | None
    class_distance: float | None
    missing_classes: int | None
    class_shares: list[float] | None


class EvaluationLine(_Line, Spread, total=False):
    """A line of judge.jsonl: an evaluation during training.

    The value of the primary metric is a further field, named like the metric.
    """

    n: int
    ema: float | None
    d_saturated: float | None
    judging_seconds: float


class _Event(TypedDict):
    event: str
    time: str


class Event(_Event, total=False):
    """A line of history.jsonl: the event that an attempt to train the run `started` or `ended`."""

    step: int
    slot: str
    threads: int
    device: str
    cause: str
    why: str


# result.json -----------------------------------------------------------------------------------


class _Score(TypedDict):
    n: int
    net: str


class Score(_Score, Spread, total=False):
    """The quality of generated images, and the real images of the comparison.

    Each measured metric is a further field NAME, with its standard error in NAME_error.
    """

    reals: int
    held_out: bool
    own_test: bool
    shared: bool
    labelled: bool
    step: int | None
    real_value: float | None
    real_n: int
    nearest_ratio: float | None
    copied: float | None
    published: str
    published_net: str


class _EquilibriumRecord(TypedDict):
    step: int
    label: str


class EquilibriumRecord(_EquilibriumRecord, total=False):
    """The evaluation at which the run was best."""

    epoch: float
    value: float
    plateau: list[int]


class EmaLength(TypedDict):
    """The primary metric of the last weights, averaged with one length; 0 is no average."""

    length: float
    value: float | None


class _JudgeRecord(TypedDict):
    primary: str
    score: Score
    flags: list[str]


class JudgeRecord(_JudgeRecord, total=False):
    """The judge's results for a finished run."""

    second: str
    looks: int
    last: float | None
    equilibrium: EquilibriumRecord
    ema: Score
    ema_lengths: list[EmaLength]
    errors: dict[str, str]
    judging_seconds: float


class NetworkSizes(TypedDict, total=False):
    """The numbers of trained parameters: of both networks, or of a user's module."""

    generator: int
    discriminator: int
    model: int


class _Result(TypedDict):
    training_seconds: float


class Result(_Result, total=False):
    """result.json: the result of a run that is done."""

    status: str
    epochs: float
    steps: int
    images: int
    loss_d: float
    loss_g: float
    seconds: float
    images_per_second: float
    peak_memory_mib: int
    parameters: NetworkSizes
    judge: JudgeRecord | None


class _Failure(TypedDict):
    error: str


class Failure(_Failure, total=False):
    """failure.json: the error of the last attempt, if it failed."""

    type: str
    cause: str
    time: str
    log: list[str]


# loggers.json ----------------------------------------------------------------------------------


class LoggerRecord(TypedDict, total=False):
    """What one tracker has received of a run; the next process continues after that."""

    place: str
    attempt: str
    id: str
    metrics: int
    evaluations: int
    pictures: int
    result: str
    status: str


class LoggersRecord(TypedDict):
    """loggers.json: what each tracker has received of the run, by the name of its logger."""

    loggers: dict[str, LoggerRecord]


# parent.json -----------------------------------------------------------------------------------


class _Parent(TypedDict):
    run: str
    step: int


class ParentRecord(_Parent, total=False):
    """parent.json: the run from whose final state this run was continued."""

    time: str


# -----------------------------------------------------------------------------------------------

RUN_FILES: dict[str, type] = {
    "config.json": RunConfig,
    "environment.json": Environment,
    "metrics.jsonl": MetricsLine,
    "judge.jsonl": EvaluationLine,
    "history.jsonl": Event,
    "result.json": Result,
    "failure.json": Failure,
    "loggers.json": LoggersRecord,
    "parent.json": ParentRecord,
}


def steps_per_epoch(config: RunConfig) -> int:
    """Return the number of batches in a pass over the images, which is at least one.

    It is 0 if the size of a batch is unknown, as that of a script may be.
    """
    identity = config["identity"]
    batch_size = identity["batch_size"]
    return 0 if batch_size is None else max(1, identity["data"]["images"] // max(1, batch_size))


# The metrics of versions before 0.1.0: distances to the training images, of which less is better.
OLD_DISTANCES = ("fld", "rfd")


def fault_of(file: str, record: dict[str, Any]) -> str:
    """Return what is wrong with the record of a run's file; empty if the record is valid."""
    found = fault(record, RUN_FILES[file])
    if not found and RUN_FILES[file] is RunConfig:
        found = _unknown(record["identity"])
    judge = record.get("judge") if RUN_FILES[file] is Result else None
    if found or judge is None:
        return found
    wanted = [("score", judge["primary"])]
    wanted += [("score", judge["second"])] if "second" in judge else []
    wanted += [("ema", judge["primary"])] if "ema" in judge else []
    for part, metric in wanted:
        if number(judge[part], metric) is None:
            return f"judge.{part}.{metric} is no finite number"
    return ""


def _unknown(identity: dict[str, Any]) -> str:
    """Return which number is null that only a script may keep to itself; empty if none is."""
    if identity.get("command") is not None:
        return ""
    missing = [n for n in ("batch_size", "precision", "steps") if identity[n] is None]
    return f"identity.{missing[0]} is null" if missing else ""


def upgrade(result: Result) -> None:
    """Rename the metric `kid` in the score of an old version, as the name is now Inception's."""
    judge = result.get("judge")
    if judge is not None and judge["primary"] in OLD_DISTANCES:
        score: Any = judge["score"]
        for end in ("", "_error"):
            if f"kid{end}" in score:
                score[f"kd_{judge['primary']}{end}"] = score.pop(f"kid{end}")
