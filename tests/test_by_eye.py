"""Tests of searches by eye: a client votes on the page of a real search, and the sampler learns."""

from __future__ import annotations

import json
import math
import random
import re
import urllib.request
from collections import Counter
from pathlib import Path
from statistics import fmean
from types import SimpleNamespace
from typing import Any

import optuna
import pytest
from commands import Command
from conftest import Cli, one_line_error, wait_until

from gansweep.config import Config
from gansweep.report.gallery.rating import Rating
from gansweep.report.stored_study import best_setting, read_study
from gansweep.report.table.eye import Rated
from gansweep.report.table.votes import Votes, places_by_eye
from gansweep.search.by_eye import VOTES, EyePlanner
from gansweep.search.space import Space, read_space
from gansweep.store.manifest import read_manifest

PICTURE = "Number Output"


def planner_of(
    space: Space, study: optuna.Study, votes: Votes, sampler: str, seed: int
) -> EyePlanner:
    """Return the planner of a search by eye over `space`, without data."""
    plan: Any = SimpleNamespace(
        space=space, bases=[Config()], prepared=None, labels=[PICTURE], constraint=None, name="s",
        settings=SimpleNamespace(seeds_per_trial=1, objective="eye", sampler=sampler, seed=seed),
    )  # fmt: skip
    return EyePlanner(plan, study, votes)


@pytest.mark.parametrize("sampler", ["tpe", "gp"])
def test_the_sampler_learns_from_the_strengths_in_the_votes(sampler: str, tmp_path: Path) -> None:
    """The eye likes lr=1e-3 best. The distances of the trials say the opposite."""
    space = read_space([], ["lr"], Config())
    study = optuna.create_study()
    for i in range(14):
        lr = 1e-5 * 1000 ** (i / 13)
        study.add_trial(
            optuna.trial.create_trial(
                params={"lr": lr}, distributions={"lr": space.dimensions[0].distribution()},
                value=-abs(math.log10(lr) + 3), user_attrs={"runs": [f"r{i}-s1"]},
            )
        )  # fmt: skip
    votes = Votes.of(tmp_path, "s", PICTURE)
    trials = study.trials
    for i in range(14):
        for j in range(i + 1, min(i + 4, 14)):
            far = [abs(math.log10(trials[k].params["lr"]) + 3) for k in (i, j)]
            votes.add(f"r{i}-s1", f"r{j}-s1", "left" if far[0] < far[1] else "right")
    planner = planner_of(space, study, votes, sampler, 1)
    proposed = [planner.proposed(number)["lr"] for number in range(14, 22)]
    assert len(set(proposed)) > 1
    assert sum(3e-4 < lr < 3.3e-3 for lr in proposed) >= 6, proposed


def strength(params: dict[str, Any]) -> float:
    """Return the logarithm of a true strength, whose greatest value is 0."""
    return float(-2 * (math.log10(params["lr"]) + 3.3) ** 2 - 6 * (params["beta1"] - 0.4) ** 2)


def simulated(folder: Path, seed: int, trials: int = 20) -> tuple[float, float, int]:
    """Search by the eye of a voter who errs as the model says.

    Returns the greatest strength of the trials that the model proposed, that of as many random
    trials, and the number of votes.
    """
    space = read_space([], ["lr", "beta1"], Config())
    distributions = {d.name: d.distribution() for d in space.dimensions}
    rng, study = random.Random(seed), optuna.create_study()
    votes = Votes.of(folder / str(seed), "s", PICTURE)
    planner = planner_of(space, study, votes, "tpe", seed)
    rating = Rating(None, [], votes, "", random=rng)  # type: ignore[arg-type]
    for number in range(trials):
        params = planner.start(number)
        assert params is not None
        attributes = {"runs": [f"r{number}-s1"]}
        study.add_trial(
            optuna.trial.create_trial(
                params=params, distributions=distributions, value=0.0, user_attrs=attributes
            )
        )
        rating.rated.append(Rated(f"r{number}-s1", number, Path(), "", None))
        while number >= 9:
            count = Counter(run for vote in votes.read() for run in vote[:2])
            if all(count[row.run] >= VOTES for row in rating.rated):
                break
            pair = rating.next_pair()
            assert pair is not None
            one, other = (strength(study.trials[row.row].params) for row in pair)
            left = rng.random() < 1 / (1 + math.exp(other - one))
            votes.add(pair[0].run, pair[1].run, "left" if left else "right")
    sampler = optuna.samplers.RandomSampler(seed=seed)
    chance = optuna.create_study(sampler=sampler)
    return (
        max(strength(trial.params) for trial in study.trials[10:]),
        max(strength(chance.ask(distributions).params) for _ in range(trials - 10)),
        len(votes.read()),
    )


@pytest.mark.slow
def test_votes_find_better_settings_than_chance(tmp_path: Path) -> None:
    found = [simulated(tmp_path, seed) for seed in range(40)]
    eye, chance, votes = (fmean(values) for values in zip(*found, strict=True))
    print(f"by eye {eye:.2f}, at random {chance:.2f}, votes {votes:.0f}")
    assert eye > chance + 0.05


def test_the_best_by_eye_has_the_most_strength_and_no_severe_flag() -> None:
    study = optuna.create_study()
    space = {"lr": optuna.distributions.FloatDistribution(0, 1)}
    for number, (value, dead) in enumerate([(10.0, 0.0), (20.0, 0.0), (30.0, 1.0), (40.0, 0.0)]):
        attributes = {"runs": [f"r{number}-s1"], "command": f"command {number}", "dead": dead}
        study.add_trial(
            optuna.trial.create_trial(
                params={"lr": 0.1}, distributions=space, value=value,  # type: ignore[arg-type]
                user_attrs=attributes,
            )
        )  # fmt: skip
    places = {"r2-s1": 1, "r1-s1": 2, "r0-s1": 3}
    assert best_setting(study, "FD", "fd_lenet", places) == [
        "Trial 1 is the best of 2 by eye: FD 20.0 (lr 0.1).",
        "command 1",
    ]
    assert best_setting(study, "FD", "fd_lenet", {})[1] == "command 0", "without votes"


def ask(url: str, path: str, body: dict[str, str] | None = None) -> Any:
    """Ask the page's server as its script does."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url + path, data, {"X-Gansweep": "vote"})
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.loads(answer.read() or b"{}")


def address(search: Command) -> str:
    wait_until(lambda: "http://" in search.said()[0] or search.poll() is not None, "address")
    found = re.search(r"pairs of \S+: (http://\S+/) \(your votes decide", search.said()[0])
    assert found, search.said()
    return found[1]


def vote_until_it_ends(search: Command) -> int:
    """Vote for the left picture until the search has ended. Returns the number of votes."""
    url, count = address(search), 0

    def voted() -> bool:
        nonlocal count
        if search.poll() is not None:
            return True
        try:
            pair = ask(url, "pair")
            if "pair" in pair:
                ask(url, "vote", {"pair": pair["pair"], "choice": "left"})
                count += 1
            else:
                assert pair["more"]
        except OSError:  # the page ends with the search
            pass
        return False

    wait_until(voted, "end of the search")
    return count


SEARCH = (
    "-m", "search=lr", "objective=eye", "gen=5", "disc=4", "steps=4", "width=0.0625", "threads=1",
    "data=mnist5k", "name=s",
)  # fmt: skip


def test_a_search_by_eye(cli: Cli, tmp_path: Path) -> None:
    search = Command(tmp_path, *SEARCH, "trials=3")
    wait_until(lambda: "before the end: http://" in search.said()[0], "wait for votes")
    assert "3 votes before the end: http://" in search.said()[0], "each pair of three once"
    assert search.poll() is None
    assert "pruner none\n" in search.said()[0]
    search.send_signal(2)  # Ctrl-C
    out, err = search.communicate()
    assert search.returncode == 130, err
    assert "to resume: python -m gansweep -m search=lr objective=eye" in out

    resumed = Command(tmp_path, *SEARCH, "trials=3")
    assert vote_until_it_ends(resumed) == 3
    out, err = resumed.communicate()
    assert resumed.returncode == 0, out + err
    assert "3 trials complete, 0 pruned, 0 failed" in out
    study = read_study(None, "s", tmp_path / "outputs/sweeps/s/manifest.json")
    assert len(study.trials) == 3, "nothing is trained twice"
    manifest = read_manifest(tmp_path / "outputs", "s")
    places = places_by_eye(tmp_path / "outputs", "s", PICTURE)
    found = [int(row.facts["by eye"]) for row in manifest.rows]
    assert found == sorted(places[run] for row in manifest.rows for run in row.runs[PICTURE])
    assert "| trial | by eye | FD (LeNet) |" in (tmp_path / "reports/s/README.md").read_text()
    again = cli(*SEARCH, "trials=3")
    assert again.returncode == 0, "all votes are there"
    assert "http://" not in again.stdout


@pytest.mark.slow
def test_later_trials_wait_for_votes(tmp_path: Path) -> None:
    search = Command(tmp_path, *SEARCH, "trials=12")
    wait_until(lambda: "before the next trial: http://" in search.said()[0], "wait for votes")
    study = read_study(None, "s", tmp_path / "outputs/sweeps/s/manifest.json")
    assert len(study.trials) in (10, 11), "with two slots, one trial may be proposed before"
    cast = vote_until_it_ends(search)
    assert search.wait() == 0, search.said()
    study = read_study(None, "s", tmp_path / "outputs/sweeps/s/manifest.json")
    assert sum(t.state.name == "COMPLETE" for t in study.trials) == 12
    assert cast >= 12 * VOTES / 2
    counts = [0] * 12
    runs = [t.user_attrs["runs"][0] for t in study.trials if t.values]
    for vote in Votes.of(tmp_path / "outputs", "s", PICTURE).read():
        for run in vote[:2]:
            counts[runs.index(run)] += 1
    assert min(counts) >= VOTES


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ("sampler=random", "sampler=random learns nothing from votes; use tpe or gp"),
        ("pruner=asha", "objective=eye compares finished trials: leave out pruner="),
        ("seeds_per_trial=2", "seeds_per_trial: objective=eye compares one picture of each trial"),
        ("storage=sqlite:///x.db", "objective=eye keeps its votes in the folder of the sweep"),
    ],
)
def test_what_a_search_by_eye_cannot_do_is_refused(cli: Cli, words: str, says: str) -> None:
    assert says in one_line_error(cli(*SEARCH, words, "plan=true"))
    assert "data: objective=eye compares" in one_line_error(
        cli(*SEARCH[:-2], "data=mnist5k,toyfaces", "plan=true")
    )
