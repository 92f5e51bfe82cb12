"""Searches by eye, `objective=eye`: votes on pairs of the trials' pictures decide what is tried.

The sampler's model is that of the strengths of the trials in the votes (Bradley and Terry 1952), on
a logarithmic scale. A study cannot change the values of finished trials, and each vote changes all
strengths. So the study of the search keeps the distance of each trial, and each proposal comes from
a study in memory that has the strengths of this moment.
"""

from __future__ import annotations

import math
import threading
import webbrowser
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from gansweep.plugins import SAMPLERS
from gansweep.report.gallery.rating import Rating, column_to_rate
from gansweep.report.stored_study import RUNS, counted
from gansweep.report.table.picture_column import PictureColumn
from gansweep.report.table.text import format_count
from gansweep.report.table.votes import Votes, bradley_terry
from gansweep.search.gan_planner import STARTUP_TRIALS, GanPlanner
from gansweep.search.samplers import has_named_constraints
from gansweep.store.errors import UserError
from gansweep.store.run import Run
from gansweep.terminal.console import console

if TYPE_CHECKING:
    import optuna
    from optuna.trial import FrozenTrial

    from gansweep.search.plan import SearchPlan

VOTES = 3  # on each picture, without which no further trial is proposed


class EyePlanner(GanPlanner):
    """Plans the runs of a search by eye, whose trials follow from the votes."""

    def __init__(self, plan: SearchPlan, study: optuna.Study, votes: Votes) -> None:
        super().__init__(plan)
        self.study, self.votes, self.sampler = study, votes, plan.settings.sampler

    def start(self, number: int) -> dict[str, Any] | None:
        """Return the settings of the first STARTUP_TRIALS trials, and then those of the model."""
        return super().start(number) or self.proposed(number)

    def proposed(self, number: int) -> dict[str, Any]:
        """Return what the sampler proposes for trial `number` after the votes so far."""
        import optuna
        from optuna.trial import TrialState, create_trial

        strengths = bradley_terry(self.votes.read())
        seed = (self.seed + number) % 2**32  # another one for each trial, as the study is new
        sampler = SAMPLERS[self.sampler].build(seed)
        model = optuna.create_study(direction="maximize", sampler=sampler)
        for trial in self.study.get_trials(deepcopy=False):
            known: dict[str, Any] = {
                "params": trial.params, "distributions": trial.distributions
            }  # fmt: skip
            strength = strengths.get(next(iter(trial.user_attrs.get(RUNS, [])), ""))
            if trial.state == TrialState.COMPLETE and strength is not None:
                if has_named_constraints():
                    known["constraints"] = trial.constraints
                else:
                    known["user_attrs"] = trial.user_attrs
                    known["system_attrs"] = trial.system_attrs
                model.add_trial(create_trial(value=math.log(strength), **known))
            elif trial.state == TrialState.RUNNING and trial.params:
                model.add_trial(create_trial(state=TrialState.RUNNING, **known))
        asked = model.ask()
        self.propose(asked)
        return dict(asked.params)


class Eye:
    """The votes of a search, the page that takes them, and whether they suffice to go on."""

    def __init__(self, plan: SearchPlan, study: optuna.Study) -> None:
        self.name, self.out, self.trials = plan.name, plan.settings.out, plan.settings.trials
        self.heading = plan.labels[0]
        self.study = study
        self.votes = Votes.of(self.out, self.name, self.heading)
        self.url = ""
        self._told = False  # that the search waits for votes

    def opens(self) -> bool:
        """Return whether a further trial may be proposed, or the search may end.

        The first trials need no votes; later ones need VOTES votes on each picture of a finished
        trial.
        """
        trials = self.study.get_trials(deepcopy=False)
        asked = sum(map(counted, trials))
        if asked < min(STARTUP_TRIALS, self.trials):
            return True
        missing = self.missing()
        is_running = any(
            trial.state.name == "RUNNING" for trial in trials
        )  # it will need votes too
        if missing and not self._told and not is_running:
            what = "the next trial" if asked < self.trials else "the end"
            console.print(
                f"{format_count(missing, 'vote')} before {what}: {self.url}",
                soft_wrap=True, highlight=False,
            )  # fmt: skip
            self._told = True
        self._told &= bool(missing)
        return not missing

    def missing(self) -> int:
        """Return how many votes are missing, at least; 0 with fewer than two pictures."""
        trials = self.study.get_trials(deepcopy=False)
        runs = {run for t in trials if (run := _run_of(t)) and self._has_picture(run)}
        cast = Counter(run for vote in self.votes.read() for run in vote[:2])
        needed = min(VOTES, len(runs) - 1)
        deficits = [max(0, needed - cast[run]) for run in runs]
        return max((sum(deficits) + 1) // 2, max(deficits, default=0))

    def note(self) -> str:
        """Return a text for the live view."""
        count = format_count(len(self.votes.read()), "vote")
        missing = self.missing()
        return f"{count}, {missing} more needed: {self.url}" if missing else f"{count}: {self.url}"

    @contextmanager
    def page(self) -> Iterator[None]:
        """Serve the page that takes votes, and print its address."""
        empty = PictureColumn(self.heading, self.out, [], [])
        rating = Rating(
            empty, [], self.votes, f"{self.name}: which is better?", refresh=self._refresh
        )
        with rating.server(None) as server:
            self.url = server.url
            thread = threading.Thread(target=server.serve_forever, args=(0.2,), daemon=True)
            thread.start()
            console.print(
                f"pairs of {self.name}: {self.url} (your votes decide what is tried next)",
                soft_wrap=True, highlight=False,
            )  # fmt: skip
            if console.is_terminal:
                webbrowser.open(self.url)
            try:
                yield
            finally:
                server.shutdown()
                thread.join()

    def _refresh(self, rating: Rating) -> None:
        """Let the page show the trials that are done by now."""
        try:
            rating.column, rows = column_to_rate(self.name, self.out, self.heading)
        except UserError:  # fewer than two trials have a picture, or none has begun
            return
        done = {row.run: row for row in rows if Run(self.out, row.run).result.is_file()}
        rating.rated = list(done.values())

    def _has_picture(self, run_id: str) -> bool:
        run = Run(self.out, run_id)
        return run.best_picture.is_file() or run.picture.is_file()


def _run_of(trial: FrozenTrial) -> str:
    """Return the run of a complete trial; empty for others."""
    runs = trial.user_attrs.get(RUNS) if trial.state.name == "COMPLETE" else None
    return runs[0] if runs else ""
