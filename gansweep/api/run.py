"""One run: its parameters, numbers and pictures, and its trained generator."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from gansweep.api import frames
from gansweep.commands.show import parameters, results
from gansweep.report.render.files import data_uri
from gansweep.report.render.html_table import escape, pairs, picture
from gansweep.report.table.outcome import Outcome, read_outcome
from gansweep.store.errors import UserError
from gansweep.store.run import Run as Folder

if TYPE_CHECKING:
    import pandas as pd
    from PIL.Image import Image
    from torch import Tensor, nn

    from gansweep.store.records import Result, RunConfig


class Run:
    """A run, finished or not. Each method reads its files anew.

    id: its name; folder: its files, which docs/files.md describes. `gansweep.run(ID)` and the
    methods `best()` and `runs()` of a sweep's results return it.
    """

    def __init__(self, run: Folder) -> None:
        self.id = run.id
        self.folder = run.folder
        self._run = run
        self._samplers: dict[Any, Callable[..., Tensor]] = {}

    @property
    def status(self) -> str:
        """`done`, `running`, `failed`, `diverged`, `interrupted`, `planned` or `damaged`."""
        return self._outcome().status

    @property
    def params(self) -> dict[str, Any]:
        """All parameters by the names of the command line: `lr`, `data`, `data.holdout`, …"""
        given = {**self._config().get("params", {})}
        data = given.pop("data", None)
        options = given.pop("options", None) or {}
        nested = data if isinstance(data, Mapping) else {}
        found = {f"data.{name}": value for name, value in nested.items() if name != "name"}
        return {**given, **options, "data": self._config()["data"]["name"], **found}

    @property
    def seed(self) -> int:
        """The seed of the run."""
        return int(self.id.rpartition("-s")[2])

    @property
    def command(self) -> str:
        """The command line that trains this very run."""
        return self._config().get("command", "")

    @property
    def result(self) -> Result | None:
        """The contents of result.json, which docs/files.md describes; None if it is not done."""
        return self._run.read_result()

    @property
    def score(self) -> dict[str, Any]:
        """The metrics of the best weights by name, such as `fd_lenet`; empty if there are none."""
        return dict(self._outcome().score)

    def metrics(self) -> pd.DataFrame:
        """Return the losses during training, with the step as the index (see metrics.jsonl)."""
        return frames.lines(self._run.read_metrics())

    def evaluations(self) -> pd.DataFrame:
        """Return the evaluations during training, with the step as the index (see judge.jsonl)."""
        return frames.lines(self._run.read_evaluations())

    def picture(self, step: int | None = None) -> Image:
        """Return the sample picture, 16 images in a 4×4 grid, always of the same latents.

        step: that of a sample during training; by default the picture is of the best weights, or of
        the last step if there are no best weights. Raises UserError if there is no such picture.
        """
        from PIL import Image

        path = self._outcome().picture if step is None else self._run.sample(step)
        if path is None or not path.is_file():
            steps = ", ".join(map(str, self._run.sample_pictures()))
            having = f"it has pictures of the steps {steps}" if steps else "it has none"
            which = "no picture" if step is None else f"no picture of step {step}"
            raise UserError(f"run {self.id} ({self.status}) has {which}: {having}")
        try:
            with Image.open(path) as opened:
                opened.load()
                return opened.copy()
        except (OSError, SyntaxError) as error:
            raise UserError(f"{path} cannot be read ({type(error).__name__})") from None

    def generator(self, weights: str = "best", ema: float | None = None) -> nn.Module:
        """Return the generator in evaluation mode on the CPU.

        It maps latents, float32 N × z_dim, uniform in [−1, 1], to images N×C×H×W in [−1, 1]. Of a
        run with `model=`, it is the whole LightningModule. With `labels=true`, it maps latents and
        labels, int64 (N,), which are class numbers in the order of `classes`.
        weights: `best` are those of the best evaluation, `final` those of the last step, `averaged`
        the average over the steps (with ema_decay). ema: in their place, the average of this length
        at the last step (with post_hoc_ema), where 0.05 looks back over about a twentieth of the
        training. Raises UserError if the run does not have them.
        """
        from gansweep.training.generator import load_generator

        return load_generator(self._run, weights, ema)

    @property
    def classes(self) -> list[str]:
        """The names of the classes of a run with `labels=true`, in the order of their numbers."""
        return list(self._config()["data"].get("classes", ()))

    def sample(
        self,
        n: int = 16,
        seed: int | None = None,
        weights: str = "best",
        ema: float | None = None,
        labels: int | str | Sequence[int | str] | None = None,
    ) -> Tensor:
        """Return `n` images, float32 N×C×H×W in [−1, 1], with C 1 or 3.

        seed: that of the latents, and no seed draws other images at each call; weights and ema: see
        `generator`; labels: of a run with `labels=true`, one class for all images or one for each,
        by name or by number from 0, and by default as often as in the training images. Raises
        UserError if the run does not have these weights or classes, or for `n` below 1.
        """
        from gansweep.training.generator import load_sampler

        if (weights, ema) not in self._samplers:
            self._samplers[weights, ema] = load_sampler(self._run, weights, ema)
        return self._samplers[weights, ema](n, seed, labels)

    def __repr__(self) -> str:
        """Return the id, the status and the result."""
        outcome = self._outcome()
        said = outcome.judged or outcome.note
        return f"run {self.id}  {outcome.status}" + (f"  {said}" if said else "")

    def _repr_html_(self) -> str:
        """Return the picture, the results and the changed parameters for a notebook."""
        outcome = self._outcome()
        image = ""
        try:
            image = picture(data_uri(outcome.picture), f"run {self.id}") if outcome.picture else ""
        except Exception as error:  # a decoder has many ways to refuse a damaged file
            outcome.note = f"{outcome.picture} cannot be read ({type(error).__name__})"
        note = f"<p>{escape(outcome.note)}</p>" if outcome.note else ""
        tables = pairs("parameters", parameters(outcome, False)) + pairs(
            "results", results(outcome)
        )
        return (
            f"<p><b>run {escape(self.id)}</b>  {escape(outcome.status)}</p>{note}"
            f'<div style="display:flex; gap:24px; flex-wrap:wrap"><div>{image}</div>{tables}</div>'
        )

    def _outcome(self) -> Outcome:
        return read_outcome(self._run)

    def _config(self) -> RunConfig:
        """Return the configuration. Raises UserError if its file is missing or damaged."""
        config, fault = self._run.examine(self._run.config)
        if config is None:
            raise UserError(
                f"{self._run.config} is {f'damaged ({fault})' if fault else 'missing'}; type the "
                "command of the sweep again, which writes the file again"
            )
        return config  # type: ignore[return-value]

    def is_on(self, data: str | None, seed: int | None) -> bool:
        """Return whether the run has this data set and this seed, where they are given."""
        config = self._run.read_config()
        name = config["data"]["name"] if config else ""
        return (data is None or name == data) and (seed is None or self.seed == seed)
