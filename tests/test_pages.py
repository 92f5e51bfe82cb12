"""Tests of the pages that gansweep serves and of votes, without a browser."""

from __future__ import annotations

import http.client
import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from commands import Command
from serving import running

from gansweep.commands.open import main as open_command
from gansweep.commands.rate import main as rate_command
from gansweep.commands.serve import main as serve_command
from gansweep.report.gallery import single
from gansweep.report.gallery.live import LivePage
from gansweep.report.gallery.rating import Rating, column_to_rate
from gansweep.report.gallery.server import LocalServer
from gansweep.report.table.eye import agreement
from gansweep.report.table.votes import Votes, bradley_terry, places, ranks, spearman
from gansweep.report.write import write_report
from gansweep.store.manifest import votes_path
from testing.synthetic import write_sweep


def ask(
    server: LocalServer, path: str, body: Any = None, headers: dict[str, str] | None = None
) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    data = None if body is None else json.dumps(body)
    connection.request("GET" if body is None else "POST", path, data, headers or {})
    answer = connection.getresponse()
    return answer.status, answer.read()


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of a sweep of four rows, which tests only read."""
    folder = tmp_path_factory.mktemp("pages") / "out"
    write_sweep(folder, 4, pictures=3)
    return folder


# Votes ----------------------------------------------------------------------------------------


def test_bradley_terry_by_hand() -> None:
    # With two items, the maximum of the likelihood is at the share of the wins: 3 : 1.
    found = bradley_terry([("a", "b", 1.0)] * 3 + [("b", "a", 1.0)], prior=0)
    assert found["a"] / found["b"] == pytest.approx(3)
    # Strengths of 4 : 2 : 1 make these shares exactly: 2/3, 2/3 and 4/5. Their mean is 2.
    votes = [("a", "b", 1.0)] * 2 + [("b", "a", 1.0)]
    votes += [("b", "c", 1.0)] * 2 + [("c", "b", 1.0)]
    votes += [("a", "c", 1.0)] * 4 + [("c", "a", 1.0)]
    assert bradley_terry(votes, prior=0) == pytest.approx({"a": 2, "b": 1, "c": 0.5})
    # A tie is half a win for both.
    tied = bradley_terry([("a", "b", 0.5), ("a", "b", 1.0)], prior=0)
    assert tied["a"] / tied["b"] == pytest.approx(3)
    # One win with the prior: s solves 1.5 = s²/(s² + 1) + s/(s + 1), as the other has 1/s.
    found = bradley_terry([("a", "b", 1.0)])
    s = found["a"]
    assert s**2 / (s**2 + 1) + s / (s + 1) == pytest.approx(1.5)
    assert found["b"] == pytest.approx(1 / s)
    assert bradley_terry([]) == {}


def test_spearman_by_hand() -> None:
    assert ranks([10, 30, 20, 20]) == [1, 4, 2.5, 2.5]
    assert spearman([1, 2, 3], [10, 20, 15]) == pytest.approx(0.5)  # 1 − 6·2/(3·8)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert spearman([1, 2], [1, 2]) is None
    assert spearman([1, 2, 3], [5, 5, 5]) is None
    assert places({"a": 0.5, "b": 2.0, "c": 0.5}) == {"b": 1, "a": 2, "c": 2}


def test_votes_are_kept_and_damaged_lines_are_left_out(tmp_path: Path) -> None:
    votes = Votes.of(tmp_path, "s", "Number Output")
    votes.add("a", "b", "left")
    Votes.of(tmp_path, "s", "Other").add("a", "b", "right")
    votes.add("b", "c", "tie")
    votes.add("", "", "undo")
    with votes_path(tmp_path, "s").open("a") as stream:
        stream.write('{"choice": 3}\n{"picture": "Number Output", "choice": "left", "le')
    votes.add("c", "a", "right")
    assert votes.read() == [("a", "b", 1.0), ("c", "a", 0.0)]


def test_the_metric_and_the_eye_agree_or_not(tmp_path: Path) -> None:
    write_sweep(tmp_path, 5, pictures=1)
    column, rated = column_to_rate("synthetic", tmp_path, "Number Output")
    votes = Votes(tmp_path / "votes.jsonl", "Number Output")
    assert agreement(column, votes).endswith("too few to compare them with the metric")
    best_first = sorted(rated, key=lambda row: row.value or 0)
    for i, one in enumerate(best_first):
        for other in best_first[i + 1 :]:
            votes.add(one.run, other.run, "left")
    assert agreement(column, votes) == (
        "10 votes on Number Output: the eye agrees with FD (LeNet), Spearman's rank correlation "
        "1.00 over 5 rows"
    )


def test_every_pair_is_asked_once_and_the_least_rated_row_first(out: Path, tmp_path: Path) -> None:
    column, rated = column_to_rate("synthetic", out)
    votes = Votes(tmp_path / "votes.jsonl", column.heading)
    rating = Rating(column, rated, votes, "")
    seen: list[frozenset[str]] = []
    while pair := rating.next_pair():
        counts = {row.run: sum(row.run in p for p in seen) for row in rated}
        assert min(counts.values()) in (counts[pair[0].run], counts[pair[1].run])
        seen.append(frozenset((pair[0].run, pair[1].run)))
        votes.add(pair[0].run, pair[1].run, "tie")
    assert len(seen) == len(set(seen)) == 6


def test_rate_prints_the_ranking(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    write_sweep(tmp_path, 3, pictures=1)
    _, rated = column_to_rate("synthetic", tmp_path)
    votes = Votes.of(tmp_path, "synthetic", "Number Output")
    for one, other in ((2, 0), (2, 1), (0, 1)):
        votes.add(rated[one].run, rated[other].run, "left")
    rate_command(["synthetic", "--show", "--out", str(tmp_path)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["by", "eye", "row", "votes", "by", "FD", "(LeNet)"]
    assert [line.split()[:3] for line in lines[1:4]] == [
        ["1", "2", "2"], ["2", "0", "2"], ["3", "1", "2"],
    ]  # fmt: skip
    assert "Spearman's rank correlation" in lines[4]


@pytest.mark.parametrize(
    ("command", "words", "message"),
    [
        (rate_command, ["synthetic", "--on", "Nmber Output"], "did you mean 'Number Output'?"),
        (rate_command, ["nothing"], "no sweep 'nothing' in "),
        (serve_command, ["nothing"], "no sweep 'nothing' in "),
        (serve_command, ["synthetic", "--port", "99999"], "--port 99999: "),
        (open_command, ["nothing"], "no sweep 'nothing' in "),
    ],
)
def test_wrong_arguments_get_one_line(
    command: Any, words: list[str], message: str, out: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        command([*words, "--out", str(out)])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert message in said
    assert said.count("\n") == 1
    assert not list(out.glob("sweeps/*/.page-*"))


# Pages ----------------------------------------------------------------------------------------


def test_only_this_computer_and_this_page_are_answered(out: Path, tmp_path: Path) -> None:
    column, rated = column_to_rate("synthetic", out)
    rating = Rating(column, rated, Votes(tmp_path / "votes.jsonl", column.heading), "")
    with running(rating.server(0)) as server:
        assert server.server_address[0] == "127.0.0.1"
        status, body = ask(server, "/pair")
        assert status == 200
        pair = json.loads(body)["pair"]
        evil = {"Host": "evil.example", "X-Gansweep": "vote"}
        assert ask(server, "/pair", headers=evil)[0] == 403
        vote = {"pair": pair, "choice": "left"}
        assert ask(server, "/vote", vote, evil)[0] == 403
        assert ask(server, "/vote", vote)[0] == 403  # as a form of another site would send it
        own = {"X-Gansweep": "vote"}
        assert ask(server, "/vote", {**vote, "choice": "best"}, own)[0] == 404
        assert ask(server, "/vote", [1], own)[0] == 400
        assert ask(server, "/vote", {"pair": "x" * 20_000}, own)[0] == 413
        assert ask(server, "/nothing")[0] == 404
        assert rating.votes.read() == []


def test_the_server_of_a_live_page_serves_pictures_and_nothing_else(
    out: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "page"
    (tmp_path / "secret.png").write_bytes(b"secret")
    live = LivePage("synthetic", out, folder)
    with running(live.server(0)) as server:
        page = json.loads(ask(server, "/data")[1])
        src = page["tables"][0]["rows"][0]["cells"][0]["thumbs"][0]["src"]
        status, picture = ask(server, f"/{src}")
        assert status == 200
        assert picture.startswith(b"\x89PNG")
        assert ask(server, f"/data?since={page['live']}") == (204, b"")
        for path in ("/../secret.png", "/%2e%2e/secret.png", "/runs", "/README.md", "/a%00.png"):
            assert ask(server, path)[0] == 404, path
        run = next(iter(page["runs"]))
        details = json.loads(ask(server, f"/details?run={run}")[1])
        assert details["series"]
        assert ask(server, "/details?run=nothing")[0] == 404
        live._next, live.out = 0.0, tmp_path / "moved"
        assert ask(server, "/data")[0] == 503


def test_serve_ends_without_traces(tmp_path: Path) -> None:
    write_sweep(tmp_path / "outputs", 1, pictures=1)
    before = sorted(path for path in tmp_path.rglob("*"))
    served = Command(tmp_path, "serve", "synthetic", "--no-browser", "--port", "0")
    end = time.monotonic() + 60
    while "http" not in served.said()[0]:
        assert time.monotonic() < end
        time.sleep(0.05)
    assert list(tmp_path.glob("outputs/sweeps/synthetic/.page-*/images/row0-number.png"))
    served.send_signal(signal.SIGTERM)
    done, said = served.communicate(timeout=30)
    assert "synthetic while it runs: http://127.0.0.1:" in done
    assert served.returncode == 0, said
    assert sorted(path for path in tmp_path.rglob("*")) == before


def test_a_single_file_keeps_within_its_budget(
    out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With less room, the file has pictures of less quality, then fewer, and says so."""

    def written() -> tuple[int, str]:
        report = write_report(
            "synthetic", out=out, reports=tmp_path, formats=["single"], to=tmp_path / "r"
        )
        assert report.path.name == "synthetic.html"
        return report.path.stat().st_size, report.path.read_text()

    whole, text = written()
    assert "recompressed as WebP of quality 85." in text
    monkeypatch.setattr(single, "BUDGET", whole - 20_000)
    less, text = written()
    assert less <= whole - 20_000
    assert "recompressed as WebP of quality 85." not in text
    monkeypatch.setattr(single, "BUDGET", 1000)
    least, text = written()
    assert least < less
    assert "at most 1 of 4 pictures of a run over training" in text


def test_a_single_file_does_not_replace_a_file_of_the_user(out: Path, tmp_path: Path) -> None:
    (tmp_path / "synthetic.html").write_text("my own page")
    with pytest.raises(Exception, match="is not a gansweep page and would be overwritten"):
        write_report("synthetic", out=out, reports=".", formats=["single"], to=tmp_path)


def test_open_writes_the_report_if_it_is_missing_or_old(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    opened: list[str] = []
    monkeypatch.setattr("webbrowser.open", lambda url: opened.append(url) or len(opened) > 1)
    manifest = write_sweep(tmp_path / "out", 1, pictures=1)
    words = ["--out", str(tmp_path / "out"), "--reports", str(tmp_path / "reports")]
    open_command(words)  # the latest sweep
    path = tmp_path / "reports/synthetic/index.html"
    assert opened == [path.as_uri()]
    assert "no browser can be opened here" in capsys.readouterr().out
    text = path.read_text()
    open_command(["synth", *words])
    assert path.read_text() == text
    assert "no browser" not in capsys.readouterr().out
    manifest.title = "Another title"
    manifest.write(tmp_path / "out")
    open_command(["synthetic", *words])
    assert "Another title" in path.read_text()
