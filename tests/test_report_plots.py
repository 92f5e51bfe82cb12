"""Tests of the plots of a report on synthetic run folders."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from gansweep.report.plots.by_parameter import draw_quality
from gansweep.report.plots.canvas import open_picture, scaled, shortened, text_width, wrapped
from gansweep.report.plots.curves import draw_curves
from gansweep.report.plots.evolution import draw_strips, spaced, write_animation
from gansweep.report.plots.plots import write_plots
from gansweep.report.plots.thumbnail_map import draw_map
from gansweep.report.table.collect import Reader, Results, collect
from gansweep.report.table.picture_column import PictureColumn, picture_columns
from gansweep.store.manifest import Manifest, Row, Table
from gansweep.store.run import Run, read_json, write_json

NUMBER, FACE = "Number Output", "Face Output"
COMMON = {"gen": "1", "disc": "3", "alpha": 0.2, "batch_size": 50}


def trained(
    out: Path,
    run_id: str,
    value: float | None,
    metric: str = "fd_lenet",
    flags: Sequence[str] = (),
    shade: int = 100,
    side: int = 112,
    best_step: int = 60,
) -> Run:
    """Write a finished run of 100 steps in one epoch; `value` is None for a run without judge."""
    run = Run(out, run_id)
    identity = {
        "steps": 100, "batch_size": 50, "gen_width": 1, "disc_width": 1, "precision": "fp32",
        "data": {"images": 5000},
    }  # fmt: skip
    data = {"name": "mnist5k", "images": 5000, "size": side // 4}
    write_json(run.config, {"identity": identity, "data": data})
    result: dict[str, Any] = {"training_seconds": 1.0, "epochs": 1.0}
    if value is not None:
        score = {
            "n": 250, "reals": 500, "held_out": True, "own_test": False, "shared": True,
            "net": "a net", metric: value, "swd": 1.0,
        }  # fmt: skip
        place = {"step": best_step, "epoch": best_step / 100, "label": "plateau"}
        result["judge"] = {
            "primary": metric, "second": "swd", "score": score, "flags": list(flags),
            "equilibrium": place,
        }  # fmt: skip
        for step in range(0, 101, 20):
            run.append_evaluation({"step": step, "n": 250, metric: value * (2 - step / 100)})
    write_json(run.result, result)
    for step in range(10, 101, 10):
        run.append_metrics({"step": step, "loss_d": 1.0, "loss_g": 2.0})
        picture = Image.new("L", (side, side), (shade + step) % 256)
        run.samples.mkdir(exist_ok=True)
        picture.save(run.sample(step))
    Image.new("L", (side, side), shade).save(run.picture)
    return run


def results_of(out: Path, rows: list[Row], pictures: Sequence[str] = (NUMBER,)) -> Results:
    table = Table(["lr"], list(range(len(rows))))
    manifest = Manifest("s", "t", "c", list(pictures), COMMON, [table], rows)
    return collect([manifest], Reader(out))


def column_of(out: Path, rows: list[Row]) -> PictureColumn:
    return picture_columns(results_of(out, rows), out)[0]


def grid(out: Path, **more: Any) -> list[Row]:
    """Write a sweep over lr × beta1 whose distances fall from 600 to 100."""
    rows = []
    for i, (lr, beta1) in enumerate((lr, b) for lr in (1e-4, 1e-3, 1e-2) for b in (0.0, 0.5)):
        run = trained(out, f"{i}a-s1", 100.0 * (6 - i), shade=10 * i, **more)
        rows.append(Row({"lr": lr, "beta1": beta1}, {NUMBER: [run.id]}))
    return rows


def texts(figure: Any) -> list[str]:
    from matplotlib.text import Text

    found = [t.get_text() for t in figure.findobj(Text) if t.get_visible()]
    return [text for text in found if text]


def position(figure: Any, text: str) -> tuple[float, float]:
    """Return the position of a text on a board, in pixels from the upper left corner."""
    (found,) = [t for t in figure.texts if t.get_text() == text]
    x, y = found.get_position()
    width, height = figure.get_size_inches() * figure.dpi
    return x * width, (1 - y) * height


def test_a_sweep_gets_all_drawings_in_order(tmp_path: Path) -> None:
    rows = grid(tmp_path)
    for i, row in enumerate(rows):
        row.runs[FACE] = [trained(tmp_path, f"{i}f-s1", 50.0 + i, metric="fd_random").id]
    pictures = write_plots(results_of(tmp_path, rows, (NUMBER, FACE)), tmp_path / "i", tmp_path)
    kinds = ("map", "quality", "evolution", "curves")
    assert [name for _, name in pictures] == [
        f"plot-{kind}-{slug}.png" for kind in kinds for slug in ("number", "face")
    ]
    assert pictures[2][0] == "FD (LeNet) of Number Output by learning rate and beta 1"
    assert pictures[3][0].startswith("FD (random) of Face Output")
    for _, name in pictures:
        with Image.open(tmp_path / "i" / name) as picture:
            assert 400 <= picture.width <= 1000


def test_the_same_runs_are_the_same_bytes_and_rewrite_nothing(tmp_path: Path) -> None:
    results = results_of(tmp_path, grid(tmp_path))
    for folder in ("one", "two", "two"):
        times = {p: p.stat().st_mtime_ns for p in (tmp_path / folder).glob("*")}
        write_plots(results, tmp_path / folder, tmp_path)
        assert all(path.stat().st_mtime_ns == time for path, time in times.items())
    one, two = (sorted((tmp_path / name).iterdir()) for name in ("one", "two"))
    assert [path.name for path in one] == [path.name for path in two]
    assert [path.read_bytes() for path in one] == [path.read_bytes() for path in two]
    with Image.open(one[0]) as picture:
        assert not {key for key in picture.info if key != "dpi"}, "no dates, no versions"


def test_old_plots_are_removed_and_other_files_stay(tmp_path: Path) -> None:
    folder = tmp_path / "i"
    folder.mkdir()
    for name in ("plot-map-gone.png", "mine.png", "row0-number.png", "history.png"):
        (folder / name).touch()
    write_plots(results_of(tmp_path, grid(tmp_path)), folder, tmp_path)
    names = {path.name for path in folder.iterdir()}
    assert {"mine.png", "row0-number.png", "history.png"} < names
    assert "plot-map-gone.png" not in names


def test_a_planned_sweep_has_no_plots(tmp_path: Path) -> None:
    rows = [Row({"lr": 0.1}, {NUMBER: ["aa-s1"]}), Row({"lr": 0.2}, {}, {NUMBER: "too few"})]
    assert write_plots(results_of(tmp_path, rows), tmp_path / "i", tmp_path) == []
    assert write_plots(results_of(tmp_path, []), tmp_path / "i", tmp_path) == []


def test_a_sweep_without_axes_has_no_map_and_no_quality_plot(tmp_path: Path) -> None:
    rows = [Row({}, {NUMBER: [trained(tmp_path, f"aa-s{s}", 10.0 + s).id for s in (1, 2)]})]
    pictures = write_plots(results_of(tmp_path, rows), tmp_path / "i", tmp_path)
    assert [name for _, name in pictures] == ["plot-evolution-number.png", "plot-curves-number.png"]


def test_a_sweep_without_a_judge_has_no_best(tmp_path: Path) -> None:
    rows = [
        Row({"lr": lr}, {NUMBER: [trained(tmp_path, f"{i}a-s1", None).id]})
        for i, lr in enumerate((0.1, 0.2))
    ]
    column = column_of(tmp_path, rows)
    assert draw_quality(column) is None
    for draw in (draw_map, draw_strips, draw_curves):
        drawn = draw(column)
        assert drawn is not None
        assert "best" not in " ".join([drawn[1], *texts(drawn[0])])


def test_the_map_puts_values_in_order_and_the_best_in_bold(tmp_path: Path) -> None:
    drawn = draw_map(column_of(tmp_path, grid(tmp_path)))
    assert drawn is not None
    figure = drawn[0]
    down = [position(figure, text)[1] for text in ("1e-4", "1e-3", "0.01")]
    across = [position(figure, text)[0] for text in ("0", "0.5")]
    assert down == sorted(down)
    assert across == sorted(across)
    x, y = position(figure, "★ FD (LeNet) 100.0")
    assert abs(x - across[1]) < 1, "of beta1=0.5 …"
    assert 0 < y - down[2] < 150, "… and lr=0.01"
    (best,) = [t for t in figure.texts if t.get_text().startswith("★ FD (LeNet)")]
    assert best.get_weight() == "bold"
    assert len(figure.images) == 6


def test_the_map_shows_the_best_run_of_a_place_and_names_missing_ones(tmp_path: Path) -> None:
    rows = [
        Row({"lr": 0.1, "beta1": 0.0, "z_dim": 9}, {NUMBER: [trained(tmp_path, "aa-s1", 9.0).id]}),
        Row({"lr": 0.1, "beta1": 0.0, "z_dim": 8}, {NUMBER: [trained(tmp_path, "bb-s1", 7.0).id]}),
        Row(
            {"lr": 0.2, "beta1": 0.5, "z_dim": 8},
            {NUMBER: [trained(tmp_path, "cc-s1", 1.0, flags=["collapse"]).id]},
        ),
        Row({"lr": 0.3, "beta1": 0.0, "z_dim": 8}, {NUMBER: ["dd-s1"]}),
    ]
    write_json(Run(tmp_path, "dd-s1").failure, {"error": "nan", "cause": "diverged"})
    drawn = draw_map(column_of(tmp_path, rows))
    assert drawn is not None
    found = texts(drawn[0])
    assert "★ FD (LeNet) 7.0" in found, "what collapsed is not the best"
    assert "best of 2: z_dim=8" in found
    assert "collapsed" in found
    assert "diverged" in found
    assert found.count("–") == 3, "places without a row"


@pytest.mark.parametrize(("down", "across", "side"), [(12, 12, 112), (12, 11, 256), (2, 12, 512)])
def test_large_maps_stay_small_and_pixels_stay_square(
    down: int, across: int, side: int, tmp_path: Path
) -> None:
    run = trained(tmp_path, "aa-s1", 5.0, side=side)
    rows = [
        Row({"lr": 0.01 * (1 + i), "beta1": 0.01 * j}, {NUMBER: [run.id]})
        for i in range(down)
        for j in range(across)
    ]
    drawn = draw_map(column_of(tmp_path, rows))
    assert drawn is not None
    assert max(drawn[0].get_size_inches() * drawn[0].dpi) < 2500


def test_a_single_parameter_makes_one_row_of_pictures(tmp_path: Path) -> None:
    rows = [
        Row({"lr": lr}, {NUMBER: [trained(tmp_path, f"{i}a-s1", 5.0 + i).id]})
        for i, lr in enumerate((0.1, 0.2, 0.3))
    ]
    drawn = draw_map(column_of(tmp_path, rows))
    assert drawn is not None
    assert len({position(drawn[0], text)[1] for text in ("0.1", "0.2", "0.3")}) == 1


def test_two_parameters_that_vary_together_are_one_axis(tmp_path: Path) -> None:
    rows = []
    for i, (impl, lr) in enumerate((("1", 0.1), ("2", 0.1), ("2", 0.2))):
        run = trained(tmp_path, f"{i}a-s1", 5.0 + i)
        rows.append(Row({"gen": impl, "disc": impl, "lr": lr}, {NUMBER: [run.id]}))
    drawn = draw_map(column_of(tmp_path, rows))
    assert drawn is not None
    assert drawn[1].endswith("by gen impl and learning rate")
    drawn = draw_map(column_of(tmp_path, rows[:2]))
    assert drawn is not None
    assert drawn[1].endswith("by gen impl")


def test_epochs_do_not_vary_where_steps_end_the_runs(tmp_path: Path) -> None:
    rows = []
    for i, (lr, epochs) in enumerate(((0.1, 10), (0.2, 20), (0.2, 30))):
        run = trained(tmp_path, f"{i}a-s1", 5.0 + i)
        rows.append(Row({"lr": lr, "epochs": epochs}, {NUMBER: [run.id]}))
    assert column_of(tmp_path, rows).varying == ["lr", "epochs"]
    for row in rows:
        run = Run(tmp_path, row.runs[NUMBER][0])
        config = read_json(run.config)
        assert config is not None
        write_json(run.config, config | {"params": {"steps": 100, "epochs": 10}})
    assert column_of(tmp_path, rows).varying == ["lr"]


def panel(figure: Any, label: str) -> Any:
    (found,) = [axes for axes in figure.axes if axes.get_xlabel() == label]
    return found


def marks(axes: Any, label: str) -> list[tuple[float, float]]:
    (line,) = [line for line in axes.lines if line.get_label() == label]
    return [(float(x), float(y)) for x, y in line.get_xydata()]


def test_the_quality_plot_has_a_dot_for_each_run(tmp_path: Path) -> None:
    values = {"5e-5": [30.0], "0.1": [10.0, 14.0, 20.0], "n/a": [50.0]}
    rows = []
    for text, distances in values.items():
        for value in distances:
            lr = None if text == "n/a" else float(text)
            flags = ["collapse"] if value == 14 else []
            run = trained(tmp_path, f"{value:g}a-s1", value, flags=flags)
            rows.append(Row({"beta1": lr}, {NUMBER: [run.id]}))
    failed = Run(tmp_path, "ff-s1")
    write_json(failed.failure, {"error": "killed"})
    rows.append(Row({"beta1": 0.1}, {NUMBER: [failed.id]}))
    drawn = draw_quality(column_of(tmp_path, rows))
    assert drawn is not None
    axes = panel(drawn[0], "beta 1")
    assert [t.get_text() for t in axes.get_xticklabels()] == list(values), "n/a comes last"
    dots = sorted((round(x), y) for x, y in marks(axes, "a run"))
    assert dots == [(0, 30.0), (1, 10.0), (1, 20.0), (2, 50.0)]
    assert [(round(x), y) for x, y in marks(axes, "not alive")] == [(1, 14.0)]
    assert [(round(x), y) for x, y in marks(axes, "best")] == [(1, 10.0)]
    assert [x for x, _ in marks(axes, "failed")] == [1.0]
    (bars,) = [c for c in axes.collections if c.get_label() == "median"]
    assert [segment[0][1] for segment in bars.get_segments()] == [14.0]
    assert axes.get_yscale() == "linear"


def test_many_numbers_make_an_axis_with_a_place_for_missing_values(tmp_path: Path) -> None:
    rows = []
    for i in range(15):
        run = trained(tmp_path, f"{i}a-s1", 2.0**i)
        lr = None if i == 14 else 1e-5 * 2**i
        rows.append(Row({"lr": lr}, {NUMBER: [run.id]}))
    drawn = draw_quality(column_of(tmp_path, rows))
    assert drawn is not None
    axes = panel(drawn[0], "learning rate")
    assert axes.get_xscale() == axes.get_yscale() == "log"
    dots = {y: x for x, y in marks(axes, "a run")}
    assert dots[4.0] == pytest.approx(4e-5)
    assert axes.get_xlim()[0] < dots[2.0**14] < 1e-5
    assert "n/a" in texts(drawn[0])


def test_a_parameter_with_one_value_and_not_applicable_has_no_panel(tmp_path: Path) -> None:
    rows = []
    for loss, smooth in (("ns", 0.1), ("hinge", None)):
        run = trained(tmp_path, f"{loss}-s1", 10.0)
        rows.append(Row({"loss": loss, "smooth": smooth}, {NUMBER: [run.id]}))
    drawn = draw_quality(column_of(tmp_path, rows))
    assert drawn is not None
    assert "loss" in texts(drawn[0])
    assert "smooth factor" not in texts(drawn[0])


def test_at_most_eight_parameters_have_a_panel(tmp_path: Path) -> None:
    names = ["gen_drop", "disc_drop", "smooth", "alpha", "batch_size", "z_dim", "lr", "beta1"]
    rows = []
    for i in range(4):
        run = trained(tmp_path, f"{i}a-s1", 5.0 + i)
        params = dict.fromkeys(names, i + 1) | {"beta2": 0.1 if i else 0.2}
        rows.append(Row(params, {NUMBER: [run.id]}))
    drawn = draw_quality(column_of(tmp_path, rows))
    assert drawn is not None
    labels = [axes.get_xlabel() for axes in drawn[0].axes if axes.axison]
    assert len(labels) == 8
    assert "beta 2" not in labels, "what varies least is left out"


def test_curves_name_the_best_and_mark_their_equilibria(tmp_path: Path) -> None:
    drawn = draw_curves(column_of(tmp_path, grid(tmp_path)))
    assert drawn is not None
    figure = drawn[0]
    top, *losses = figure.axes
    found = texts(figure)
    assert top.get_xlabel() == "epochs"
    assert top.get_ylabel() == "FD (LeNet) (less is better)"
    assert "row 5: lr=0.01 beta1=0.5 (FD (LeNet) 100.0)" in found
    assert {f"row {i}" for i in range(1, 6)} <= set(found)
    assert "row 0" not in found, "the sixth is grey"
    (grey,) = [c for c in top.collections if hasattr(c, "get_segments")]
    assert len(grey.get_segments()) == 1
    dots = [line.get_xydata()[0] for line in top.lines if len(line.get_xydata()) == 1]
    assert sorted(float(y) for _, y in dots) == pytest.approx([140, 280, 420, 560, 700])
    assert {float(x) for x, _ in dots} == {0.6}
    assert [axes.get_title() for axes in losses] == [f"row {i}" for i in (5, 4, 3, 2, 1)]


def test_at_most_three_hundred_curves_are_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gansweep.report.plots.curves.MAX_LINES", 8)
    rows = grid(tmp_path)
    for i in range(6, 12):
        run = trained(tmp_path, f"{i}b-s1", 700.0 + i)
        rows.append(Row({"lr": 1e-5 * i, "beta1": 0.5}, {NUMBER: [run.id]}))
    figures = [draw_curves(column_of(tmp_path, rows)) for _ in range(2)]
    grey = [
        [segment.tolist() for segment in drawn[0].axes[0].collections[0].get_segments()]
        for drawn in figures
        if drawn
    ]
    assert [len(of) for of in grey] == [3, 3], "beside the best five"
    assert grey[0] == grey[1]


def test_curves_of_a_running_sweep(tmp_path: Path) -> None:
    run = trained(tmp_path, "aa-s1", 9.0)
    run.result.unlink()
    drawn = draw_curves(column_of(tmp_path, [Row({"lr": 0.1}, {NUMBER: [run.id]})]))
    assert drawn is not None
    assert len(drawn[0].axes) == 1


def test_strips_show_the_best_five_and_the_worst(tmp_path: Path) -> None:
    rows = grid(tmp_path, best_step=77)
    rows.append(
        Row({"lr": 1.0, "beta1": 0.9}, {NUMBER: [trained(tmp_path, "ww-s1", 999.0).id]}),
    )
    drawn = draw_strips(column_of(tmp_path, rows))
    assert drawn is not None
    found = texts(drawn[0])
    assert "★ best of 7: FD (LeNet) 100.0" in found
    assert "worst of 7: FD (LeNet) 999.0" in found
    assert "row 5: lr=0.01 beta1=0.5" in found
    assert "row 0: lr=1e-4 beta1=0" not in found, "neither among the best nor the worst"
    assert len(drawn[0].images) == 6 * 8
    assert found.count("● 80") == 5, "the picture nearest step 77"
    assert found.count("● 60") == 1


def test_damaged_files_of_a_run_leave_the_rest(tmp_path: Path) -> None:
    rows = grid(tmp_path)
    whole = write_plots(results_of(tmp_path, rows), tmp_path / "i", tmp_path)
    bad = Run(tmp_path, "5a-s1")
    for path in (bad.picture, bad.sample(40)):
        path.write_bytes(path.read_bytes()[:60])
    bad.sample(50).write_bytes(b"no picture")
    bad.sample(100).unlink()
    (bad.samples / "notes_x.png").touch()
    with bad.evaluations.open("a") as stream:
        stream.write('{"step": "x", "fd_lenet": 3}\n[1]\n{"step": 90, "fd_lenet": null}\n{"ste')
    with bad.metrics.open("ab") as stream:
        stream.write(b'\xff\xfe{"step": 1}\n{"step": 95, "loss_d": "y", "loss_g": 1}\n')
    Run(tmp_path, "4a-s1").result.write_text("{")
    results = results_of(tmp_path, rows)
    pictures = write_plots(results, tmp_path / "i", tmp_path)
    assert [name for _, name in pictures] == [name for _, name in whole]
    column = picture_columns(results, tmp_path)[0]
    drawn = draw_map(column)
    assert drawn is not None
    assert "no picture" in texts(drawn[0])


def test_values_that_are_not_finite_are_not_ranked(tmp_path: Path) -> None:
    rows = grid(tmp_path)
    run = trained(tmp_path, "nn-s1", float("nan"))
    rows.append(Row({"lr": 0.5, "beta1": 0.5}, {NUMBER: [run.id]}))
    column = column_of(tmp_path, rows)
    assert len(column.ranked) == 6
    assert len(write_plots(results_of(tmp_path, rows), tmp_path / "i", tmp_path)) == 4


@pytest.mark.filterwarnings("error")
def test_names_are_not_drawn_as_formulas(tmp_path: Path) -> None:
    heading = "$\\frac{ $x$ 数字 Output"
    rows = [
        Row({"gen": f"${i}_{{$ {'long ' * 20}", "lr": 0.1 * (i + 1)}, {heading: [run.id]})
        for i in range(3)
        for run in [trained(tmp_path, f"{i}a-s1", 5.0 + i)]
    ]
    pictures = write_plots(results_of(tmp_path, rows, [heading]), tmp_path / "i", tmp_path)
    assert len(pictures) == 4
    for _, name in pictures:
        with Image.open(tmp_path / "i" / name) as picture:
            assert picture.width <= 1000


def test_picture_columns_with_similar_names_have_separate_files(tmp_path: Path) -> None:
    run = trained(tmp_path, "aa-s1", 5.0)
    headings = ["Number Output", "Number!", "数字"]
    rows = [Row({}, {heading: [run.id] for heading in headings})]
    pictures = write_plots(results_of(tmp_path, rows, headings), tmp_path / "i", tmp_path)
    assert len({name for _, name in pictures}) == len(pictures) == 6


@pytest.mark.parametrize("suffix", [".webp", ".gif"])
def test_an_animation_has_a_frame_a_sample_and_loops(suffix: str, tmp_path: Path) -> None:
    run = trained(tmp_path, "aa-s1", 5.0)
    run.sample(50).write_bytes(b"damaged")
    path = tmp_path / f"a{suffix}"
    assert write_animation(run, path)
    with Image.open(path) as picture:
        assert picture.n_frames == 9
        assert picture.info["loop"] == 0
        assert picture.width == 224
        assert picture.convert("RGB").getpixel((5, 5)) == (110, 110, 110)
        picture.seek(8)
        assert picture.convert("RGB").getpixel((200, 200)) == (200, 200, 200)
        picture.load()
        assert picture.info["duration"] > 1000, "the last one is held"
    before = path.read_bytes(), path.stat().st_mtime_ns
    write_animation(run, path)
    assert (path.read_bytes(), path.stat().st_mtime_ns) == before


def test_no_animation_of_a_single_picture_or_of_another_kind(tmp_path: Path) -> None:
    run = trained(tmp_path, "aa-s1", 5.0)
    with pytest.raises(ValueError, match=r"\.webp or \.gif"):
        write_animation(run, tmp_path / "a.mp4")
    for step in list(run.sample_pictures())[1:]:
        run.sample(step).unlink()
    assert not write_animation(run, tmp_path / "a.gif")
    assert not write_animation(Run(tmp_path, "none-s1"), tmp_path / "a.gif")
    assert not (tmp_path / "a.gif").exists()


def test_large_pictures_make_no_large_animation(tmp_path: Path) -> None:
    run = trained(tmp_path, "aa-s1", 5.0, side=512)
    assert write_animation(run, tmp_path / "a.webp")
    with Image.open(tmp_path / "a.webp") as picture:
        assert picture.width == 256


def test_steps_are_evenly_chosen_with_both_ends() -> None:
    assert spaced([1, 2, 3], 8) == [1, 2, 3]
    assert spaced(range(101), 5) == [0, 25, 50, 75, 100]


def test_pictures_are_enlarged_in_whole_steps() -> None:
    assert scaled(Image.new("RGB", (112, 112)), 230).size == (224, 224)
    assert scaled(Image.new("RGB", (512, 512)), 230).size == (230, 230)


def test_an_unreadable_picture_is_left_out(tmp_path: Path) -> None:
    assert open_picture(tmp_path / "gone.png") is None


def test_texts_are_cut_to_their_width() -> None:
    text = "row 3: " + "alpha=0.1 " * 30 + "$"
    assert text_width(shortened(text, 300)) <= 300
    assert shortened(text, 300).startswith("row 3")
    lines = wrapped("FID 1,902.7 ±\u00a0381.2\u00a0(2) and ever so much more of it", 112, 3)
    assert len(lines) == 3
    assert lines[1].startswith("± 381.2 (2)"), "what belongs together stays together"
    assert all(text_width(line) <= 112 for line in lines)


def test_drawing_loads_neither_torch_nor_pyplot() -> None:
    code = (
        "import sys, gansweep.report.plots.plots;"
        "early = {'matplotlib', 'pandas', 'PIL'} & {*sys.modules};"
        "from gansweep.report.plots.canvas import Board; Board(99, 99).text(1, 1, 'x');"
        "print(early, {'torch', 'matplotlib.pyplot'} & {*sys.modules})"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set() set()\n", done.stderr
