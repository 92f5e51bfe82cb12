"""Tests of plans: grids, row lists, their errors, and the 39 rows of the document."""

from __future__ import annotations

import csv
import dataclasses
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest

from gansweep.planning.overrides import Axis, read_axes
from gansweep.planning.plan import Plan, make_plan
from gansweep.planning.resources import conf_folder
from gansweep.planning.row_list import read_recipe, select_rows
from gansweep.planning.sweep_name import sweep_name
from gansweep.store.errors import UserError
from gansweep.store.manifest import read_manifest
from gansweep.store.run import read_json


def compose(groups: dict[str, str]) -> dict[str, Any]:
    from hydra import compose as hydra_compose
    from hydra import initialize_config_dir
    from hydra.core.config_store import ConfigStore
    from omegaconf import OmegaConf

    from gansweep.config import Config

    ConfigStore.instance().store(name="schema", node=Config)
    with initialize_config_dir(str(conf_folder()), version_base="1.3"):
        cfg = hydra_compose("config", [f"{k}={v}" for k, v in groups.items()])
    container = OmegaConf.to_container(cfg, resolve=True)
    assert isinstance(container, dict)
    return container  # type: ignore[return-value]


@pytest.fixture
def plan(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):  # type: ignore[no-untyped-def]
    monkeypatch.chdir(tmp_path)

    def make(*arguments: str) -> Plan:
        axes = read_axes(list(arguments), multirun=True)
        profile = next((a.values[0] for a in axes if a.name == "profile"), "demo")
        return make_plan(axes, compose, profile, "the command")

    return make


def test_a_grid_is_a_product_over_both_data_sets(plan: Any) -> None:
    made = plan("lr=1e-4,5e-5", "beta1=0.3,0.5,0.9")
    manifest = made.manifest
    assert manifest.pictures == ["Number Output", "Drawn Face Output"]
    shown = [(row.params["lr"], row.params["beta1"]) for row in manifest.rows]
    assert shown == [(lr, b) for lr in (1e-4, 5e-5) for b in (0.3, 0.5, 0.9)]
    assert len(made.jobs) == 12
    assert made.jobs[0].title == "lr=1e-4 beta1=0.3 data=mnist5k"
    assert manifest.tables[0].columns == ["lr", "beta1"]
    assert manifest.common["gen"] == "1"
    assert manifest.name.startswith("lr_1e-4+5e-5-beta1_0.3+0.5+0.9-")
    made.write()
    record = read_json(made.jobs[0].run.config)
    assert record is not None
    assert record["params"]["lr"] == 1e-4
    assert record["command"].startswith("python -m gansweep data=mnist5k batch_size=32 beta1=0.3")


def test_a_sweep_of_one_row_is_named_after_its_arguments(plan: Any) -> None:
    made = plan("lr=2e-4", "beta1=0.4", "steps=3", "data=mnist5k", "threads=1")
    assert re.fullmatch(r"lr_2e-4-beta1_0\.4-steps_3-mnist5k-\w{6}", made.manifest.name)
    assert re.fullmatch(r"row-\w{6}", plan("out=elsewhere").manifest.name)
    many = plan("gen=1", "lr=0.1,0.2,0.3,0.4", "data=mnist5k")
    assert many.manifest.name.startswith("gen_1-lr_0.1..0.4-mnist5k-")
    long = [Axis("gen", ("my/pkg.nets:Tall",)), Axis("command", ("python t.py",))]
    assert sweep_name([], long, "abc", "x", "outputs") == "gen_Tall-command-abc"
    long += [Axis("gen_drop", (0.125, 0.25)), Axis("disc_drop", (0.125,))]
    assert sweep_name([], long, "abc", "x", "o") == "gen-command-gen_drop-disc_drop-abc"


def test_a_sweep_keeps_the_name_that_an_earlier_version_gave_it(plan: Any) -> None:
    made = plan("lr=1e-4,5e-5", "data=mnist5k")
    old = f"lr-{made.manifest.name[-6:]}"
    assert made.manifest.name == f"lr_1e-4+5e-5-mnist5k-{old[-6:]}"
    dataclasses.replace(made.manifest, name=old).write("outputs")
    assert plan("lr=1e-4,5e-5", "data=mnist5k").manifest.name == old


def test_columns_stand_in_the_documents_order_however_typed(plan: Any) -> None:
    assert plan("beta1=0.3,0.5", "lr=1e-4,5e-5", "data=mnist5k").manifest.tables[0].columns == [
        "lr", "beta1",
    ]  # fmt: skip


def test_two_data_sets_of_one_label_are_two_columns(plan: Any) -> None:
    made = plan("data=mnist5k", "data.channels=1,3", "seed=1,2")
    assert made.manifest.pictures == ["Number Output (mnist5k, 1)", "Number Output (mnist5k, 3)"]
    assert [len(runs) for runs in made.manifest.rows[0].runs.values()] == [2, 2]
    assert len(made.jobs) == 4


def test_parameters_without_effect_are_not_applicable_and_one_run(plan: Any) -> None:
    made = plan("gen_opt=sgd", "disc_opt=sgd", "beta1=0.3,0.5", "data=mnist5k")
    assert len(made.manifest.rows) == 2
    assert len(made.jobs) == 1
    assert made.manifest.common["beta1"] is None


def test_seeds_are_replicates_of_a_row(plan: Any) -> None:
    made = plan("lr=1e-4,5e-5", "seed=1,2,3", "data=mnist5k")
    assert len(made.manifest.rows) == 2
    assert [len(row.runs["Number Output"]) for row in made.manifest.rows] == [3, 3]
    assert "seed=2" in made.jobs[1].title


def test_equal_rows_are_one_run(plan: Any) -> None:
    made = plan("beta1=0.5,0.50,5e-1", "data=mnist5k")
    assert len(made.manifest.rows) == 3
    assert len(made.jobs) == 1


def test_profiles_bring_their_own_widths_and_data_sets(plan: Any, files: Path) -> None:
    made = plan("profile=paper", f"data.root={files}")
    assert made.manifest.pictures == ["Number Output", "Celeb Output"]
    assert made.manifest.common["width"] == 1.0
    made.write()
    records = [read_json(job.run.config) for job in made.jobs]
    steps = [r["identity"]["steps"] for r in records if r]
    assert steps == [2 * (1000 // 128)]  # The 32 faces are fewer than a batch of 128.
    assert "batch_size=128, but celeba has only 32" in made.manifest.rows[0].invalid["Celeb Output"]


def data_sets_of(plan: Any, *arguments: str) -> list[str]:
    """Return the data sets of a plan's runs in the order of the plan."""
    made = plan(*arguments)
    return list(dict.fromkeys(record["data"]["name"] for record in made.records))


def test_the_narrow_profile_trains_narrower_networks_like_the_documents(plan: Any) -> None:
    made = plan("profile=narrow", "precision=fp32", "lr=1e-4,5e-5")
    assert made.manifest.common["width"] == 1 / 16
    assert made.manifest.common["batch_size"] == 128
    identity = made.records[0]["identity"]
    assert identity["parametrization"] == "mup"
    assert not identity["shuffle"]
    assert identity["steps"] == 16 * (4500 // 128)


def test_missing_data_sets_have_stand_ins_that_are_reported(
    plan: Any, files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    narrow = ("profile=narrow", "precision=fp32")
    assert data_sets_of(plan, *narrow) == ["mnist5k", "toyfaces"]
    said = " ".join(capsys.readouterr().out.split())
    assert "data: the files of mnist were not found, so mnist5k takes their place" in said
    assert "the files of celeba were not found, so toyfaces takes their place" in said
    mnist = f"data.root={files / 'mnist'}"
    assert data_sets_of(plan, *narrow, mnist) == ["mnist", "toyfaces"]
    assert data_sets_of(plan, *narrow, mnist, "digits=mnist5k", "faces=mnist") == [
        "mnist5k",
        "mnist",
    ]
    with pytest.raises(UserError, match=r"needs its files"):
        plan(*narrow, "data=mnist")  # A data set on the command line has no stand-in.


def test_data_root_may_list_several_folders(plan: Any, files: Path) -> None:
    roots = os.pathsep.join(str(files / name) for name in ("mnist", "olivetti"))
    data = ("data=mnist,images", f"data.root='{roots}'")
    made = plan(*data, "limit=200", "batch_size=20", "steps=1")
    assert made.manifest.pictures == ["Number Output", "Olivetti Output"]
    with pytest.raises(UserError, match=r"nowhere has no MNIST training images"):
        plan("data=mnist", f"data.root='{files / 'olivetti'}{os.pathsep}nowhere'", "steps=1")


def test_a_row_list_names_its_profile(plan: Any, tmp_path: Path) -> None:
    rows = "{columns: [lr], rows: [[0.1], [0.2]]}"
    (tmp_path / "mine.yaml").write_text(f"profile: narrow\ntables: [{rows}]")
    listed = ("sweep=mine.yaml", "data=mnist5k", "precision=fp32")
    assert plan(*listed).manifest.common["width"] == 1 / 16
    assert plan(*listed, "profile=paper").manifest.common["width"] == 1.0
    (tmp_path / "mine.yaml").write_text(f"profile: narow\ntables: [{rows}]")
    with pytest.raises(UserError, match="profile: narow: did you mean 'narrow'"):
        plan(*listed)


def test_the_parametrization_at_full_width_makes_no_other_run(plan: Any) -> None:
    both = ("parametrization=mup,standard", "data=mnist5k", "steps=3")
    assert len(plan(*both, "width=1.0").jobs) == 1
    assert len(plan(*both, "width=0.5").jobs) == 2


def test_invalid_rows_are_reported_and_the_others_trained(plan: Any) -> None:
    made = plan("gen=1,3", "gen_drop=0,0.5", "data=mnist5k")
    assert [bool(row.invalid) for row in made.manifest.rows] == [False, True, False, False]
    assert "generator 1 has no dropout" in made.manifest.rows[1].invalid["Number Output"]
    assert len(made.jobs) == 3


def test_a_choice_of_invalid_rows_alone_is_refused(plan: Any, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text(
        "tables: [{columns: [gen, gen_drop], rows: [[1, 0.5], [3, 0.5]]}]"
    )
    with pytest.raises(UserError, match="generator 1 has no dropout"):
        plan("sweep=mine.yaml", "rows=0", "data=mnist5k")


def test_broken_pictures_end_a_sweep_before_its_first_job(plan: Any, tmp_path: Path) -> None:
    (tmp_path / "pics").mkdir()
    (tmp_path / "pics" / "bad.jpg").write_text("no picture")
    with pytest.raises(UserError, match=r"bad\.jpg is not a usable picture"):
        plan("data=mnist5k,images", "data.root=pics", "lr=0.1,0.2")
    assert not (tmp_path / "outputs").exists()


def test_other_faces_make_another_sweep(plan: Any) -> None:
    name = plan("sweep=readme_table", "rows=0", "faces=mnist5k").manifest.name
    assert name.startswith("readme_table-")


def test_a_sweep_of_invalid_rows_alone_is_refused(
    plan: Any, tmp_path: Path, own_cache: Path
) -> None:
    with pytest.raises(UserError, match="generator 1 has no dropout"):
        plan("gen=1", "gen_drop=0.25,0.5", "data=mnist5k")
    assert not (tmp_path / "outputs").exists()
    assert not own_cache.exists(), "no data set is prepared for a refused sweep"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["sweep=nope"],
            "sweep=nope: no such list or file; valid: best_settings, equilibrium_cases, ",
        ),
        (["data.root=x", "data=mnist5k,toyfaces"], "data.root=x has no effect: mnist5k needs no"),
        (["sweep=readme_tabel"], "did you mean 'readme_table'"),
        (["sweep="], "sweep=: no such list or file; valid: best_settings, "),
        (["rows=0-3"], "rows=… chooses from a row list"),
        (["out=a,b"], "out applies to the whole sweep"),
        (["name=a/b"], "name=a/b cannot name a folder"),
        (["name=.."], "name=.. cannot name a folder"),
    ],
)
def test_a_wrong_sweep_is_refused(plan: Any, arguments: list[str], message: str) -> None:
    with pytest.raises(UserError) as error:
        plan(*arguments)
    assert message in str(error.value)


# row lists -----------------------------------------------------------------------------------


def test_the_39_rows_are_those_of_the_document() -> None:
    """The expected table is a manual copy that only this test reads."""
    recipe = read_recipe("readme_table")
    with (Path(__file__).parent / "data" / "results_table.csv").open() as stream:
        expected = list(csv.DictReader(stream))
    assert len(recipe.rows) == len(expected) == 39
    table_of = {row: i for i, t in enumerate(recipe.tables, 1) for row in t.rows}
    for i, (mine, theirs) in enumerate(zip(recipe.rows, expected, strict=True)):
        assert table_of[i] == int(theirs["table"])
        for name in ("gen", "disc"):
            assert mine[name] == theirs[name]
        for name in ("alpha", "batch_size", "z_dim", "lr", "beta1"):
            assert mine[name] == float(theirs[name]), (i, name)
        for name in ("gen_drop", "disc_drop", "smooth"):
            assert mine.get(name) == (float(theirs[name]) if theirs[name] else None), (i, name)


def test_the_remarks_of_the_readme_table_are_those_of_the_document() -> None:
    recipe = read_recipe("readme_table")
    assert [table.remark for table in recipe.tables] == [
        "",
        "Feels now that the discrimnator is too strong. Trying with adding dropout to the "
        "discriminator to drop the learning rate.",
        "add smooth factor to model_loss method",
    ]
    assert recipe.common["smooth"] == 0  # The first rows ran before smoothing existed.


def test_rows_are_chosen_and_the_others_stay_in_the_table(plan: Any) -> None:
    made = plan("sweep=readme_table", "rows=0-5,34", "data=mnist5k")
    assert len(made.manifest.rows) == 39
    assert len(made.jobs) == 7
    assert made.manifest.name.startswith("readme_table-")
    assert plan("sweep=readme_table", "rows=0").manifest.name == "readme_table"
    assert made.jobs[-1].title.startswith("gen=1 disc=1 smooth=0.1 alpha=0.1 batch_size=128")


@pytest.mark.slow
def test_the_command_line_overrides_a_row_list(plan: Any) -> None:
    made = plan("sweep=equilibrium_cases", "epochs=1", "seed=4")
    made.write()
    records = [read_json(job.run.config) for job in made.jobs]
    assert [r["identity"]["steps"] for r in records if r] == [28, 28, 28]
    first = records[0]
    assert first is not None
    assert first["data"]["images"] == 700
    assert (first["data"]["channels"], first["data"]["size"]) == (1, 128)
    assert first["params"]["seed"] == 4
    assert [r["identity"]["gen_opt"] for r in records if r] == ["sgd", "sgd", "adam"]
    assert [r["identity"]["gen"] for r in records if r] == ["conv2", "conv3", "conv2"]


def test_a_grid_over_a_row_list_is_the_product(plan: Any) -> None:
    made = plan("sweep=readme_table", "rows=0,34", "precision=fp32,bf16", "data=mnist5k")
    assert len(made.manifest.rows) == 78
    assert len(made.jobs) == 4
    assert made.manifest.tables[0].columns[-1] == "precision"


def test_headings_and_quoted_columns_are_texts(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "tables: [{columns: [lr], headings: {lr: 5}, quoted: [hours], rows: [[0.1, 18], [0.2, 9]]}]"
    )
    recipe = read_recipe(str(path))
    assert recipe.tables[0].headings == {"lr": "5"}
    assert recipe.quotes == [{"hours": "18"}, {"hours": "9"}]


def test_quoted_cells_are_read_as_names_and_numbers(tmp_path: Path) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "set: {data.root: '7', epochs: '3', gen_opt: sgd}\n"
        "tables: [{columns: [gen, disc, batch_size, lr], rows: [['5', \"4\", '64', '1e-3']]}]"
    )
    recipe = read_recipe(str(path))
    assert recipe.common == {"data.root": "7", "epochs": 3, "gen_opt": "sgd"}
    assert recipe.rows == [{"gen": "5", "disc": "4", "batch_size": 64, "lr": 0.001}]


@pytest.mark.parametrize(
    ("text", "expected"), [("0-2,5", {0, 1, 2, 5}), ("[7]", {7}), (None, set(range(9)))]
)
def test_select_rows(text: str | None, expected: set[int]) -> None:
    assert select_rows(text, 9) == expected


@pytest.mark.parametrize("text", ["9", "3-1", "a", "1-", "-1", "", "1,,2"])
def test_missing_rows_are_refused(text: str) -> None:
    with pytest.raises(UserError, match="rows="):
        select_rows(text, 9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tables: [", "not readable as YAML"),
        (
            "rows: 3",
            "a row list: no 'rows': valid: data, profile, profiles, search, set, tables, title",
        ),
        ("3", "a row list must be a mapping, not 3"),
        ("tables: 3", "tables must be a list, not 3"),
        ("tables: []", "the list has no rows"),
        ("tables: [{columns: [lr], rows: []}]", "the list has no rows"),
        ("tables: [{columns: [lr], rows: [3]}]", "table 1: row 0: a row must be a list, not 3"),
        ("tables: [{columns: [lr], rows: [[0.1]], remrk: x}]", "did you mean 'remark'?"),
        ("tables: [{columns: [seed], rows: [[1]]}]", "table 1: columns: no 'seed'"),
        ("tables: [{columns: [lr], rows: [[0.1]], results: [fid]}]", "results: no 'fid'"),
        ("profiles: {dmo: {}}\ntables: []", "profiles: no 'dmo': did you mean 'demo'?"),
        ("set: [1]\ntables: []", "set must be a mapping"),
        ("data: 5\ntables: []", "data must be a list"),
        ("tables: []\ntitel: x", "did you mean 'title'?"),
        ("tables: [{columns: [lr], rows: [[1, 2]]}]", "table 1: row 0: 2 values for 1 columns"),
        ("tables: [{columns: [lr], rows: [[abc]]}]", "table 1: row 0: lr=abc is not a number"),
        ("tables: [{columns: [lrr], rows: [[0.1]]}]", "did you mean 'lr'"),
        ("tables: [{rows: []}]", "table 1: columns must be a list"),
        ("set: {gen: 9}\ntables: []", "gen=9: valid"),
        ("data: [cats]\ntables: []", "data: cats: valid: digits, faces"),
        ("tables: [{columns: [lr, lr], rows: [[1, 2]]}]", "columns: lr is repeated"),
        ("tables: [{columns: [gen / lr, lr], rows: []}]", "columns: lr is repeated"),
        ("search: {}", "search names no parameter; write `search: {lr: null, beta1: null}`"),
        ("data: []\ntables: []", "data: [] names no data set; valid: digits, faces"),
        ("[" * 3000, "not readable as YAML"),
        (
            'tables: [{columns: [gen_drop / disc_drop], rows: [["0.5 / ["]]}]',
            "table 1: row 0: gen_drop / disc_drop: '[' is not a single value",
        ),
        (
            "tables: [{columns: [gen_drop / disc_drop], "
            'rows: [["0.5 / !!python/object/apply:os.system [id]"]]}]',
            "'!!python/object/apply:os.system [id]' is not a single value",
        ),
    ],
)
def test_a_wrong_row_list_is_refused_naming_file_and_place(
    text: str, message: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(text)
    with pytest.raises(UserError) as error:
        read_recipe(str(path))
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_deeply_nested_row_list_is_refused_by_the_slow_reader_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import yaml

    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    (tmp_path / "deep.yaml").write_text("[" * 3001)
    with pytest.raises(UserError, match="the YAML is nested too deeply"):
        read_recipe(str(tmp_path / "deep.yaml"))


def test_a_large_plan_is_announced_and_a_too_large_one_is_refused(
    plan: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    grid = ("beta1=range(0,0.9,0.02)", "smooth=range(0,0.9,0.015)", "data=mnist5k", "steps=1")
    assert len(plan(*grid).jobs) == 45 * 60
    assert "planning 2,700 rows" in capsys.readouterr().out
    with pytest.raises(UserError, match="81,000,000 rows; a sweep has at most 1,000,000"):
        plan("beta1=range(0,0.9,1e-4)", "smooth=range(0,0.9,1e-4)", "data=mnist5k")
    assert plan("lr=1e-3", "data=mnist5k").jobs
    assert "planning" not in capsys.readouterr().out


def test_a_users_row_list_in_the_current_folder(plan: Any, tmp_path: Path) -> None:
    (tmp_path / "sweeps").mkdir()
    (tmp_path / "sweeps" / "mine.yaml").write_text(
        "title: Mine\ntables: [{columns: [lr], rows: [[1e-3], [0.2]]}]"
    )
    made = plan("sweep=mine", "data=mnist5k")
    assert [row.params["lr"] for row in made.manifest.rows] == [0.001, 0.2]


# manifests -----------------------------------------------------------------------------------


def test_a_manifest_is_read_as_it_was_written(plan: Any, tmp_path: Path) -> None:
    manifest = plan("sweep=readme_table", "data=mnist5k", "name=readme_table").manifest
    manifest.write(tmp_path)
    assert read_manifest(tmp_path, "readme_table") == manifest


@pytest.mark.parametrize(
    ("what", "value"),
    [
        ("title", 5), ("command", ["x"]), ("pictures", "Number Output"), ("pictures", [3]),
        ("common", {"lr": [1]}), ("common", [1]), ("titles", {"x": "y"}), ("titles", {"a-s1": 5}),
        ("titles", 3), ("pruned", {"a-s1": 5}), ("search", {"storage": 3, "label": "x"}),
        ("search", {"storage": None}), ("rows", 3), ("rows", [3]), ("rows", [{"x": 1}]),
        ("rows.0.params", 5), ("rows.0.params", {"lr": {}}), ("rows.0.runs", {"Number": [7]}),
        ("rows.0.runs", {"Number": ["../../x-s1"]}), ("rows.0.runs", {"Number": ["x"]}),
        ("rows.0.runs", {"Number": "x-s1"}), ("rows.0.invalid", {"Number": 5}),
        ("rows.0.facts", 5), ("tables", [5]), ("tables.0.rows", [0, 1]), ("tables.0.rows", ["0"]),
        ("tables.0.rows", [-1]), ("tables.0.columns", "lr"), ("tables.0.columns", [5]),
        ("tables.0.singles", ["x"]), ("tables.0.headings", {"lr": 5}), ("tables.0.remark", None),
    ],
)  # fmt: skip
def test_a_manifest_with_other_types_is_damaged(
    what: str, value: Any, plan: Any, tmp_path: Path
) -> None:
    path = plan("name=mine", "data=mnist5k").manifest.write(tmp_path)
    record = json.loads(path.read_text())
    place: Any = record
    *parents, key = what.split(".")
    for part in parents:
        place = place[int(part) if part.isdigit() else part]
    assert key in place
    place[key] = value
    path.write_text(json.dumps(record))
    with pytest.raises(UserError, match=r"manifest.json is damaged \(.+\); run the sweep") as error:
        read_manifest(tmp_path, "mine")
    assert "\n" not in str(error.value)


def test_a_sweep_has_the_name_of_its_folder(plan: Any, tmp_path: Path) -> None:
    """Reports are written into a folder of this name, so the name in the manifest has no effect."""
    path = plan("name=mine", "data=mnist5k").manifest.write(tmp_path)
    record = json.loads(path.read_text())
    path.write_text(json.dumps({**record, "name": "../../../evil"}))
    assert read_manifest(tmp_path, "mine").name == "mine"
    with pytest.raises(UserError, match=r"no sweep '\.\./sweeps/mine'"):
        read_manifest(tmp_path, "../sweeps/mine")


def test_a_missing_or_damaged_manifest_is_refused(plan: Any, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="there is no sweep yet"):
        read_manifest(tmp_path, "x")
    path = plan("name=mine", "data=mnist5k").manifest.write(tmp_path)
    with pytest.raises(UserError, match=r"no sweep 'mien'.*did you mean 'mine'"):
        read_manifest(tmp_path, "mien")
    path.write_text(path.read_text()[:200])
    with pytest.raises(UserError, match="is damaged; run the sweep's command again"):
        read_manifest(tmp_path, "mine")
