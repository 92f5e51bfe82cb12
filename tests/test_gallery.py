"""Tests of the gallery in a real browser, with synthetic runs that have hostile texts."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browsers import CHROMIUM, browser  # noqa: F401, a fixture
from made_up_page import DISTANCES, HOSTILE, SETTINGS, long_page, made_up_page
from PIL import Image
from serving import running

from gansweep.commands.report import main as report_command
from gansweep.report import write_report
from gansweep.report.gallery import copies, live
from gansweep.report.gallery.live import LivePage
from gansweep.report.gallery.page import RUNS_PER_FILE, Details, write_page
from gansweep.report.gallery.rating import Rating, column_to_rate
from gansweep.report.table.votes import Votes
from gansweep.store.run import Run
from testing.synthetic import write_sweep

api = pytest.importorskip("playwright.sync_api", reason="needs playwright")
if CHROMIUM is None:
    pytest.skip("needs chromium", allow_module_level=True)


@pytest.fixture(scope="module")
def gallery(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the synthetic page, which tests only read."""
    folder = tmp_path_factory.mktemp("gallery")
    write_page(folder, made_up_page(folder))
    return folder


@pytest.fixture
def visit(browser: Any, gallery: Path) -> Iterator[Callable[..., Any]]:  # noqa: F811
    """Open a page, and check at the end that it logged no error and loaded only its own files."""
    contexts, said, asked = [], [], []

    def open_page(
        folder: Path = gallery,
        hash: str = "",
        url: str = "",
        file: str = "index.html",
        **options: Any,
    ) -> Any:
        context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(10_000)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        own = url or f"{folder.as_uri()}/"
        page.on("request", lambda request: asked.append((request.url, own)))
        page.goto(url or f"{own}{file}{hash}")
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert said == []
    assert [url for url, own in asked if not url.startswith((own, "data:"))] == []


def labels(page: Any) -> list[str]:
    """Return the numbers of the shown rows in order."""
    return page.locator("#table-view tbody th").all_text_contents()


def fill_filter(page: Any, text: str) -> None:
    page.fill("#filter", text)
    page.dispatch_event("#filter", "change")


def open_run(page: Any, run_id: str) -> None:
    page.click(f"#table-view [data-run='{run_id}']")
    page.wait_for_selector("#viewer[open] .chart canvas")


def step_shown(page: Any) -> str:
    return page.text_content("#viewer-time output")


def test_the_best_is_first_and_has_a_headline(visit: Callable[..., Any]) -> None:
    page = visit()
    assert labels(page) == ["2", "0", "1", "4", "3", "5"]  # Rows without a rank come last.
    best = page.locator("#best article")
    assert best.locator("h2").text_content() == "Best: row 2, FD 88.5"
    scale = "an untrained generator has 4000; real images have 8.5"
    assert f"The first of 4, less is better; {scale}." in best.inner_text()
    assert "lr 0.001, beta1 0.9" in best.inner_text()
    assert HOSTILE in best.locator("code").text_content()
    best.locator("button.open").click()
    assert page.text_content("#viewer-title") == "row 2, Number Output, seed 2"


def test_labels_are_words_that_explain_themselves(visit: Callable[..., Any]) -> None:
    page = visit()
    cell = page.locator("#table-view tr[data-key='s/2'] td.picture")
    assert cell.locator(".verdict").inner_text().split() == ["1.", "FD", "↓", "88.5", "best"]
    assert cell.get_by_text("best at step 300").get_attribute("title").startswith("the best step")
    page.click("#legend summary")
    legend = page.locator("#legend-list")
    assert legend.locator("div").first.text_content() == "FDa distance; less is better"
    scale = "an untrained generator has FD 4000; 2,000 training images in their place have FD 8.5"
    assert legend.get_by_text(scale).is_visible()
    bar = cell.locator(".scale")
    assert (
        bar.get_attribute("title") == "full: real images, 8.5; empty: an untrained generator, 4000"
    )
    assert 0.6 < float(bar.evaluate("e => e.style.getPropertyValue('--share')")) < 0.63


def test_sorting_goes_up_down_and_back(visit: Callable[..., Any]) -> None:
    page = visit()
    page.select_option("#sort", "plan")
    assert labels(page) == ["0", "1", "2", "3", "4", "5"]
    assert page.locator(".remark").count() == 1
    head = page.locator("thead th", has_text="Number Output")
    head.locator("button").click()
    assert labels(page) == ["2", "0", "1", "4", "3", "5"]  # Rows without a value come last.
    assert head.get_attribute("aria-sort") == "ascending"
    assert page.locator(".remark").count() == 0
    head.locator("button").press("Enter")
    assert labels(page) == ["4", "1", "0", "2", "3", "5"]
    assert head.get_attribute("aria-sort") == "descending"
    head.locator("button").press("Enter")
    assert page.input_value("#sort") == "best"
    page.locator("thead button", has_text="lr").click()
    # The order is that of numbers, with 1e-4 before 5e-4.
    assert labels(page) == ["1", "3", "4", "5", "0", "2"]


# Each condition, and the rows for which it holds. Those before the words are --where's.
CONDITIONS = [
    ("", "012345"),
    ("lr<1e-3", "1345"),
    ("lr<1e-3 and beta1==0.5", "14"),
    ("lr<1e-3 & beta1==0.5 | row==0", "014"),
    ("not (lr<1e-3 or beta1>0.5)", "0"),
    ("1e-4 < lr <= 1e-3", "0245"),
    ("row in [0, 3, 9]", "03"),
    ("gen not in ['conv3']", "1"),
    ("gen=='conv3' and nesterov", "02"),
    ("~nesterov", "345"),
    ("nesterov==False", "345"),
    ("fd_lenet/2 < 50", "02"),
    ("lr*1000 + beta1 >= 1.5", "02"),
    ("row % 2 == 1", "135"),
    ("-row < -3", "45"),
    ("2**row > 8", "45"),
    ("fd_lenet != 93.1", "12345"),
    ("`beta1` >= 0.9", "235"),
    ("batch_size == 32 and row < 2", "01"),
]
LENIENT = [
    ("LR <= 0.0005 beta1=0.5", "14"),
    ("lr=1e-4,5e-4", "1345"),
    ('"beta 1">=0.9 conv3', "235"),
    ('"FD (LeNet)"<100', "02"),
    ('"Number Output">=210', "14"),
    ("dropout NETWORK", "5"),
    ('"network that"', "5"),
    ("diverged", "3"),
    ("gen=conv3 lr>1e-4", "0245"),
    ("onerror", "123"),
]


def test_the_filter_has_the_grammar_of_where_and_more(visit: Callable[..., Any]) -> None:
    page = visit()
    for text, rows in CONDITIONS + LENIENT:
        fill_filter(page, text)
        assert sorted(labels(page)) == list(rows), text
        shown = "6 rows" if len(rows) == 6 else f"{len(rows)} of 6 rows"
        assert page.text_content("#shown") == shown
        assert page.is_hidden("#filter-error"), text


def test_where_of_the_report_agrees_with_the_filter() -> None:
    """The conditions mean the same for pandas, which `report --where` uses."""
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "row": range(6), "lr": [lr for lr, _ in SETTINGS], "beta1": [b for _, b in SETTINGS],
            "gen": ["conv3", HOSTILE, *["conv3"] * 4], "nesterov": [i < 3 for i in range(6)],
            "fd_lenet": [DISTANCES.get(i) for i in range(6)], "batch_size": 32,
        }
    )  # fmt: skip
    for text, rows in CONDITIONS[1:]:
        kept = frame.eval(text, engine="python")
        assert [str(i) for i in range(6) if kept[i]] == list(rows), text


def test_a_wrong_filter_is_explained(visit: Callable[..., Any]) -> None:
    page = visit()
    advice = "Write a condition such as lr<1e-4 and gen==1."
    for text, error in (
        ("lrx<3", "No column lrx. Did you mean lr? A text stands in quotes."),
        ("gen==conv3", "No column conv3. Columns: lr, beta1, gen. A text stands in quotes."),
        ("lr<", f"A name or a value is missing at the end. {advice}"),
        ("(lr<1", f") is missing at the end. {advice}"),
        ("gen<1", "gen<1: a text and a number are compared."),
        ("lr=", "lr= needs a value."),
    ):
        fill_filter(page, text)
        assert page.text_content("#filter-error") == error
        assert page.get_attribute("#filter", "aria-invalid") == "true"
        assert len(labels(page)) == 6
    fill_filter(page, "lr<1e-3")
    assert page.is_hidden("#filter-error")


def test_a_filter_without_a_match_says_which_values_there_are(visit: Callable[..., Any]) -> None:
    page = visit()
    fill_filter(page, "lr<1e-9 and gen=='conv4'")
    said = page.locator("#none").inner_text()
    assert said.startswith("No row matches lr<1e-9 and gen=='conv4'. lr is 0.0001, 0.0005, 0.001; ")
    assert "'conv3'" in said
    page.click("#none button")
    assert len(labels(page)) == 6
    assert page.input_value("#filter") == ""


def test_the_address_keeps_the_state(visit: Callable[..., Any]) -> None:
    page = visit()
    fill_filter(page, "lr<1e-3 and beta1==0.5")
    page.locator("thead button", has_text="lr").click()
    page.check("input[value=wall]")
    page.locator("#size").fill("4")
    state = page.url.partition("#")[2]
    other = visit(hash=f"#{state}")
    assert other.is_checked("input[value=wall]")
    assert other.input_value("#filter") == "lr<1e-3 and beta1==0.5"
    assert other.input_value("#sort") == "lr"
    shown = other.locator("#wall-view button.open")
    assert [tile.get_attribute("data-run") for tile in shown.all()] == ["r1-s1", "r4-s1"]
    assert shown.first.locator("img").evaluate("image => image.clientWidth") == 224
    assert shown.first.get_attribute("title").startswith("3. row 1\nFD ↓ 210.0\n")
    other.click("#wall-view [data-run=r4-s1]")
    other.keyboard.press("Escape")
    other.wait_for_selector("#viewer", state="hidden")
    api.expect(other).to_have_url(page.url)
    damaged = visit(hash="#view=nothing&size=x&sort=none&x=q&run=%E0%A4%A")
    assert damaged.is_checked("input[value=table]")
    assert len(labels(damaged)) == 6


def test_statuses(visit: Callable[..., Any]) -> None:
    page = visit()
    assert page.locator("#statuses label").all_text_contents() == [" 5 done", " 1 diverged"]
    page.check("#statuses input[value=diverged]")
    assert labels(page) == ["3"]
    assert "diverged" in page.text_content("#table-view td.picture")


def test_a_run_through_its_training(visit: Callable[..., Any]) -> None:
    page = visit()
    open_run(page, "r0-s1")
    fake = page.locator("#viewer-fake img")
    assert step_shown(page) == "step 300 of 400, the best"
    assert fake.get_attribute("src").endswith("step_000300.png")
    api.expect(fake).to_have_attribute("width", "336")  # This is 3 × 112, a whole multiple.
    assert page.get_attribute("#viewer-real img", "src") == "runs/r0-s1/nearest.png"
    assert "the training image nearest to each" in page.text_content("#viewer-real")
    page.locator("#viewer input[type=range]").fill("0")
    assert step_shown(page) == "step 100 of 400"
    assert page.get_attribute("#viewer-real img", "src") == "images/real-number.png"
    assert fake.get_attribute("src").endswith("step_000100.png")
    page.click("#show-nearest")  # The nearest training images stay on request.
    assert page.get_attribute("#viewer-real img", "src") == "runs/r0-s1/nearest.png"
    assert "of the best step, 300" in page.text_content("#viewer-real")
    page.click("#show-real")
    assert page.get_attribute("#viewer-real img", "src") == "images/real-number.png"
    about = page.text_content("#viewer-about")
    assert "FD ↓ 93.1, best at step 300 of 400" in about
    assert "z dim" in about and "python -m gansweep lr=0.001" in about and HOSTILE in about
    assert page.locator("#viewer-curves canvas").count() == 2
    assert page.locator("#viewer-curves h3").all_text_contents() == ["losses", "distance (log)"]
    said = page.locator("#viewer-curves canvas").first.get_attribute("aria-label")
    assert said.startswith("losses. loss D: 1.200 at step 10, 0.7000 at step 400")


def test_play_stops_at_the_last_step(visit: Callable[..., Any]) -> None:
    page = visit()
    open_run(page, "r0-s1")
    page.locator("#viewer input[type=range]").fill("2")
    page.click("#viewer .play")
    assert page.text_content("#viewer .play") == "Stop"
    api.expect(page.locator("#viewer-time output")).to_have_text("step 400 of 400")
    api.expect(page.locator("#viewer .play")).to_have_text("Play")


def test_the_keyboard_controls_the_page(visit: Callable[..., Any]) -> None:
    page = visit()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "filter"
    page.keyboard.type("lr/")  # In the text box, this key is a character.
    assert page.input_value("#filter") == "lr/"
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.press("Escape")  # The key leaves the text box.
    page.keyboard.press("j")
    api.expect(page.locator("#table-view [data-run=r2-s2]")).to_be_focused()
    page.keyboard.press("j")
    api.expect(page.locator("#table-view [data-run=r0-s1]")).to_be_focused()
    page.keyboard.press("ArrowDown")
    api.expect(page.locator("#table-view [data-run=r1-s1]")).to_be_focused()
    page.keyboard.press("k")
    page.keyboard.press("x")
    assert page.is_checked("[data-choose=r0-s1]")
    page.keyboard.press("?")
    assert "goes to the filter" in page.locator("#help").inner_text()
    page.keyboard.press("Escape")
    page.wait_for_selector("#help", state="hidden")
    page.select_option("#sort", "plan")
    page.focus("#table-view [data-run=r0-s1]")
    page.keyboard.press("Enter")
    page.wait_for_selector("#viewer[open]")
    page.keyboard.press("ArrowLeft")
    assert step_shown(page) == "step 200 of 400"
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert step_shown(page) == "step 400 of 400"
    titles = []
    for key in ("j", "PageDown", "j", "k", "PageUp"):
        before = page.text_content("#viewer-title")
        page.keyboard.press(key)
        api.expect(page.locator("#viewer-title")).not_to_have_text(before)
        titles.append(page.text_content("#viewer-title"))
    row = [re.match(r"row (\d), .*seed (\d)", title).groups() for title in titles]
    assert row == [("1", "1"), ("2", "1"), ("2", "2"), ("2", "1"), ("1", "1")]
    page.keyboard.press("Escape")
    page.wait_for_selector("#viewer", state="hidden")
    api.expect(page.locator("#table-view [data-run=r1-s1]")).to_be_focused()
    api.expect(page).to_have_url(re.compile("#sort=plan$"))


def test_the_next_run_is_that_of_the_next_shown_row(visit: Callable[..., Any]) -> None:
    page = visit()
    page.locator("thead button", has_text="Number Output").click()
    fill_filter(page, "fd_lenet<300")
    open_run(page, "r0-s1")
    page.click("#viewer-next")
    api.expect(page.locator("#viewer-title")).to_contain_text("row 1")
    assert page.is_disabled("#viewer-next")


def test_a_link_opens_a_run_and_back_closes_it(visit: Callable[..., Any]) -> None:
    page = visit(hash="#run=r2-s2")
    assert page.text_content("#viewer-title") == "row 2, Number Output, seed 2"
    assert page.locator("#viewer .seeds button").all_text_contents() == ["1", "2"]
    page.click("#viewer .close")
    page.click("#table-view [data-run=r0-s1]")
    page.wait_for_selector("#viewer[open]")
    assert page.url.endswith("#run=r0-s1")
    page.go_back()
    page.wait_for_selector("#viewer", state="hidden")
    visit(hash="#run=nothing")
    visit(hash="#run=%E0%A4%A")


def test_a_run_without_any_training(visit: Callable[..., Any]) -> None:
    page = visit(hash="#run=r3-s1")
    assert page.text_content("#viewer-fake .nothing") == "diverged"
    assert page.is_hidden("#viewer-time")
    assert HOSTILE in page.text_content("#viewer-about .note")


def test_comparing(visit: Callable[..., Any]) -> None:
    page = visit()
    page.focus("[data-choose=r0-s1]")
    page.keyboard.press("Space")
    assert page.text_content("#chosen-text") == "1 run chosen; choose another to compare"
    assert page.is_hidden("#compare")
    page.check("[data-choose=r1-s1]")
    # A selection stays after sorting.
    page.locator("thead button", has_text="lr").click()
    assert page.is_checked("[data-choose=r0-s1]")
    assert page.text_content("#compare") == "Compare 2 runs"
    page.click("#compare")
    page.wait_for_selector("#comparison[open] .chart canvas")
    differing = page.locator("#comparison .settings tbody tr")
    assert differing.all_text_contents() == ["learning rate0.0010.0001"]
    shared = page.text_content("#comparison-settings details")
    assert "z dim" in shared and "beta 1" in shared and "learning rate" not in shared
    titles = page.locator("#comparison-curves h3").all_text_contents()
    assert titles == ["loss D", "loss G", "FD (LeNet) (log)"]
    for canvas in page.locator("#comparison-curves canvas").all():
        said = canvas.get_attribute("aria-label")
        assert "row 0, Number Output, seed 1" in said and "row 1, Number Output, seed 1" in said
    page.locator("#comparison-time input").fill("1")
    sources = [image.get_attribute("src") for image in page.locator("#comparison-runs img").all()]
    assert sources == [f"runs/r{i}-s1/step_000200.png" for i in (0, 1)]
    # The same two pictures lie upon each other, and a slider moves the edge between them.
    upon = page.locator("#swipe-pictures img")
    assert sorted(image.get_attribute("src") for image in upon.all()) == sources
    page.locator("#swipe-range").fill("25")
    cut = page.locator("#swipe-pictures [data-side='1']").evaluate(
        "e => getComputedStyle(e).clipPath"
    )
    assert cut == "inset(0px 0px 0px 25%)"
    page.keyboard.press("Escape")
    page.click("#choose-none")
    assert page.is_hidden("#chosen")


def test_at_most_six_runs_are_compared(visit: Callable[..., Any], tmp_path: Path) -> None:
    write_page(tmp_path, long_page(7))
    page = visit(tmp_path)
    for box in page.locator("#table-view [data-choose]").all()[:7]:
        box.click()
    assert page.text_content("#chosen-text") == "At most 6 runs can be compared. 6 runs chosen"
    assert not page.locator("#table-view [data-choose]").nth(6).is_checked()


def test_map(visit: Callable[..., Any]) -> None:
    page = visit()
    page.check("input[value=map]")
    grid = page.locator("#map-view table")
    assert grid.locator("thead th").all_text_contents() == ["0.0001", "0.0005", "0.001"]
    assert grid.locator("tbody th").all_text_contents() == ["0.5", "0.9"]
    cells = grid.locator("tbody td")
    assert cells.count() == 6
    assert "FD ↓ 93.1" in cells.nth(2).text_content()
    assert "dropout" in cells.nth(4).text_content()
    page.select_option("#map-y", "gen")
    texts = [cell.text_content() for cell in grid.locator("tbody td").all()]
    assert any("FD ↓ 88.5" in text and "best of 2 rows" in text for text in texts)
    page.click("#map-view [data-run=r2-s2]")
    page.wait_for_selector("#viewer[open]")
    page.keyboard.press("Escape")
    page.wait_for_selector("#viewer", state="hidden")
    api.expect(page.locator("#map-view [data-run=r2-s2]")).to_be_focused()
    page.select_option("#map-x2", "beta1")  # beta1 within lr
    heads = grid.locator("thead tr").all()
    assert heads[0].locator("th").all_text_contents() == ["0.0001", "0.0005", "0.001"]
    assert heads[1].locator("th").all_text_contents() == ["0.5", "0.9"] * 3
    assert "x=lr,beta1" in page.url
    page.click("#map-png")  # A browser does not let a page from disk copy pictures.
    api.expect(page.locator("#map-said")).to_contain_text("gansweep report s --single")


def test_plots(visit: Callable[..., Any]) -> None:
    page = visit(hash="#view=plots")
    assert page.locator(".plot.wide svg").first.locator("polyline").count() == 4
    assert page.locator(".small-plots .title").all_text_contents() == ["lr", "beta1", "gen"]
    curves = page.locator(".plot.wide").last
    api.expect(curves.locator("polyline")).to_have_count(4)
    assert curves.locator("h3").text_content() == "FD (LeNet) over training"
    drawing = page.locator(".drawing")
    assert drawing.locator("figcaption").text_content() == HOSTILE
    assert drawing.locator("img").evaluate("image => image.decode().then(() => image.naturalWidth)")
    page.locator(".small-plots circle.leader").first.click()
    assert page.text_content("#viewer-title").startswith("row 2, ")


def test_a_phone_does_not_scroll_sideways(visit: Callable[..., Any]) -> None:
    page = visit(viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True)
    wide = "element => element.scrollWidth > element.clientWidth"
    assert not page.evaluate(f"({wide})(document.documentElement)")
    assert page.is_hidden("thead")
    page.select_option("#sort", label="lr ▲")
    assert labels(page)[0] == "1"
    page.tap("#table-view [data-run=r0-s1]")
    page.wait_for_selector("#viewer[open] .chart canvas")
    assert not page.locator("#viewer").evaluate(wide)
    assert page.locator("#viewer").evaluate("e => e.clientWidth === innerWidth")
    page.click("#viewer .close")
    page.check("[data-choose=r0-s1]")
    page.check("[data-choose=r1-s1]")
    page.click("#compare")
    page.wait_for_selector("#comparison[open] .chart canvas")
    assert not page.locator("#comparison").evaluate(wide)
    for view in ("wall", "plots"):
        other = visit(hash=f"#view={view}", viewport={"width": 390, "height": 844}, is_mobile=True)
        assert not other.evaluate(f"({wide})(document.documentElement)"), view


def test_the_page_follows_the_theme_of_the_system(visit: Callable[..., Any]) -> None:
    ground = "getComputedStyle(document.body).backgroundColor"
    light, dark = (visit(color_scheme=scheme) for scheme in ("light", "dark"))
    assert light.evaluate(ground) == "rgb(255, 255, 255)"
    assert dark.evaluate(ground) == "rgb(23, 24, 26)"
    light.click("#theme")
    assert light.evaluate(ground) == "rgb(23, 24, 26)"
    light.reload()  # The browser keeps the choice.
    assert light.evaluate(ground) == "rgb(23, 24, 26)"
    dark.emulate_media(media="print")
    assert dark.evaluate(ground) == "rgb(255, 255, 255)"  # Printed pages are white.


def test_hostile_texts_stay_texts(visit: Callable[..., Any], gallery: Path) -> None:
    page = visit()
    open_run(page, "r0-s1")
    assert page.title().startswith("A sweep </script>")
    assert page.locator("[onerror]").count() == 0
    shown = page.evaluate("document.body.innerText")
    # The texts are a heading, a parameter, a remark and a caption.
    assert shown.count("<img src=x onerror=") >= 4
    text = (gallery / "index.html").read_text()
    assert text.count("<script") == text.count("</script>") == 3
    for path in (gallery / "runs").glob("*.js"):
        assert "<" not in path.read_text()


def test_many_rows_are_added_in_parts_and_all_are_printed(
    visit: Callable[..., Any], tmp_path: Path
) -> None:
    write_page(tmp_path, long_page(10_000))
    page = visit(tmp_path)
    page.wait_for_timeout(200)  # No further rows may be added in this time.
    drawn = page.locator("#table-view tbody tr")
    assert 0 < drawn.count() <= 150
    fill_filter(page, "i>=9000 i<9300")
    first = drawn.count()
    assert first < 300
    page.evaluate("scrollTo(0, document.body.scrollHeight)")
    api.expect(drawn.nth(first)).to_be_attached()
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    assert drawn.count() == 300


def test_written_only_if_changed(tmp_path: Path) -> None:
    page = long_page(2)
    path = write_page(tmp_path, page)
    write_all(tmp_path, {"r0": {"log": ["a"]}})
    before = [file.stat().st_ino for file in (path, tmp_path / "details-0.js")]
    write_page(tmp_path, page)
    write_all(tmp_path, {"r0": {"log": ["a"]}})
    assert before == [file.stat().st_ino for file in (path, tmp_path / "details-0.js")]
    write_page(tmp_path, {**page, "title": "Other"})
    assert path.stat().st_ino != before[0]


def write_all(folder: Path, details: dict[str, dict[str, Any]]) -> list[str]:
    bundle = Details(folder)
    names = [bundle.add(run_id, about) for run_id, about in details.items()]
    bundle.write()
    return names


def test_details_of_many_runs_share_files(tmp_path: Path) -> None:
    names = write_all(tmp_path, {f"r{i}": {"log": [str(i)]} for i in range(2 * RUNS_PER_FILE + 1)})
    assert [names[0], names[RUNS_PER_FILE], names[-1]] == [f"details-{n}.js" for n in range(3)]
    for index, name in enumerate(names):
        assert f'gansweepRun("r{index}", {{"log":["{index}"]}});\n' in (tmp_path / name).read_text()
    write_all(tmp_path, {"r0": {"log": []}})
    assert [path.name for path in tmp_path.iterdir()] == ["details-0.js"]


def test_details_are_json_without_nan(tmp_path: Path) -> None:
    write_all(tmp_path, {"r0": {"y": [1.5, float("nan"), -float("inf")], "text": HOSTILE}})
    text = (tmp_path / "details-0.js").read_text()
    body = text.removeprefix('gansweepRun("r0", ').removesuffix(");\n")
    assert json.loads(body) == {"y": [1.5, None, None], "text": HOSTILE}


def test_a_report_of_run_folders(visit: Callable[..., Any], tmp_path: Path) -> None:
    """The page has the data of `gansweep.report`."""
    write_sweep(tmp_path / "out", 6, seeds=2)
    damaged = Run(tmp_path / "out", "000003m-s1")
    damaged.result.write_text("{")
    report = write_report("synthetic", out=tmp_path / "out", reports=tmp_path / "reports")
    page = visit(report.folder)
    assert sorted(labels(page)) == ["0", "1", "2", "3", "4", "5"]
    assert page.locator("#table-view").get_by_text("result.json damaged").count() == 1
    page.click("#table-view th:has-text('Number Output') button")
    means = {row.number: row.cells["Number Output"].values for row in report.results.rows}
    assert page.locator("#best article").count() == 2
    fill_filter(page, "training_time<20 and smooth==0 and fd_lenet>0")  # names of --where
    assert len(labels(page)) == 6
    assert labels(page) == [
        str(n) for n in sorted(means, key=lambda n: sum(means[n]) / len(means[n]))
    ]
    open_run(page, report.results.rows[2].cells["Number Output"].judged[0].run_id)
    dialog = page.locator("#viewer")
    assert dialog.get_by_text("learning rate", exact=True).count() == 1
    assert dialog.locator(".chart canvas").count() >= 2, "losses and distance"
    assert "step 500" in dialog.inner_text(), "where its best picture is from"


def test_a_single_file_opens_anywhere(
    visit: Callable[..., Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The file alone, in another folder, shows the rows, the curves and the pictures, and saves
    the map, which a page from disk cannot."""
    write_sweep(tmp_path / "out", 12, pictures=4)  # two parameters vary
    report_command(["synthetic", "--out", str(tmp_path / "out"), "--reports", str(tmp_path / "r"),
                    "--single"])  # fmt: skip
    assert re.search(
        r"gallery: \S*/synthetic\.html \(0\.\d MB, one file\)", capsys.readouterr().out
    )
    alone = tmp_path / "elsewhere"
    alone.mkdir()
    (tmp_path / "r/synthetic/synthetic.html").rename(alone / "synthetic.html")
    page = visit(alone, file="synthetic.html")
    images = page.locator("#table-view img")
    assert images.count() == 24
    assert images.first.evaluate("image => image.decode().then(() => image.naturalWidth)") == 112
    page.locator("#table-view button.open").first.click()
    page.wait_for_selector("#viewer[open] .chart canvas")
    page.locator("#viewer input[type=range]").fill("0")
    shown = page.locator("#viewer-fake img")
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 112
    page.keyboard.press("Escape")
    page.check("input[value=map]")
    with page.expect_download() as download:
        page.click("#map-png")
    with Image.open(download.value.path()) as saved:
        assert saved.format == "PNG"
        assert saved.width > 10 * 112


def test_a_page_from_disk_saves_its_map(
    visit: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Up to a number of bytes, as the report holds the pictures twice for this."""
    write_sweep(tmp_path / "out", 12, pictures=1)  # two parameters vary

    def folder() -> Path:
        return write_report("synthetic", out=tmp_path / "out", reports=tmp_path / "r").folder

    page = visit(folder(), hash="#view=map")
    with page.expect_download() as download:
        page.click("#map-png")
    with Image.open(download.value.path()) as saved:
        assert saved.width > 10 * 112
        assert len(saved.convert("L").crop((150, 70, 250, 170)).getcolors()) > 50, "a picture"
    monkeypatch.setattr(copies, "BUDGET", 1000)
    page = visit(folder(), hash="#view=map")
    assert not (tmp_path / "r/synthetic/runs/pictures.js").exists()
    page.click("#map-png")
    api.expect(page.locator("#map-said")).to_contain_text("gansweep report synthetic --single")


def test_a_live_page_shows_news_without_being_loaded_again(
    visit: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LEAST_PAUSE", 0.1)
    manifest = write_sweep(tmp_path / "out", 2, pictures=2)
    (number,) = manifest.rows[1].runs["Number Output"]
    run = Run(tmp_path / "out", number)
    result, best = run.result.read_text(), run.best_picture.read_bytes()
    for path in (run.result, run.picture, run.best_picture):
        path.unlink()
    with running(LivePage("synthetic", tmp_path / "out", tmp_path / "page").server(0)) as server:
        page = visit(url=server.url)
        assert "Live: 3 of 4 runs done, 0 running" in page.text_content("#live")
        cell = page.locator(f"#table-view td.picture:has([data-run='{number}'])")
        assert "interrupted after step 600: run the sweep again" in cell.inner_text()
        assert "step 600 of 600" in cell.inner_text()
        assert "so far" in cell.inner_text()
        assert "step_000600.png?v=" in cell.locator("img").get_attribute("src")
        page.evaluate("window.same = true")
        fill_filter(page, "row==1")
        run.result.write_text(result)
        run.picture.write_bytes(best)
        run.best_picture.write_bytes(best)
        api.expect(page.locator("#live")).to_contain_text("4 of 4 runs done")
        api.expect(cell.locator(".verdict")).to_contain_text("FD")
        assert "images/row1-number.png?v=" in cell.locator("img").get_attribute("src")
        assert labels(page) == ["1"]  # The filter stays.
        cell.locator("button.open").click()
        page.wait_for_selector("#viewer[open] .chart canvas")
        assert page.evaluate("window.same")


def test_rating_waits_for_the_pictures_of_a_search(
    visit: Callable[..., Any], tmp_path: Path
) -> None:
    write_sweep(tmp_path, 3, pictures=1)
    column, rated = column_to_rate("synthetic", tmp_path)
    votes = Votes.of(tmp_path, "synthetic", "Number Output")
    trained = rated[:1]

    def refresh(rating: Rating) -> None:
        rating.rated = list(trained)

    with running(Rating(column, [], votes, HOSTILE, refresh=refresh).server(0)) as server:
        page = visit(url=server.url)
        said = page.locator("#said")
        api.expect(said).to_have_text("0 votes so far. The next pictures are being trained.")
        trained.append(rated[1])
        api.expect(said).to_have_text("0 of 1 pairs rated.", timeout=20_000)
        page.click("#left")
        api.expect(said).to_have_text("1 vote so far. The next pictures are being trained.")
        page.goto("about:blank")  # before the server ends, of which the page asks on


def test_rating_pairs(visit: Callable[..., Any], tmp_path: Path) -> None:
    write_sweep(tmp_path, 3, pictures=1)
    column, rated = column_to_rate("synthetic", tmp_path)
    votes = Votes.of(tmp_path, "synthetic", "Number Output")
    rating = Rating(column, rated, votes, HOSTILE)
    with running(rating.server(0)) as server:
        page = visit(url=server.url)
        said = page.locator("#said")
        api.expect(said).to_have_text("0 of 3 pairs rated.")
        text = page.content()
        assert not any(row.run in text or f"row {row.row}" in text for row in rated)
        page.keyboard.press("ArrowLeft")
        api.expect(said).to_have_text("1 of 3 pairs rated.")
        page.click("#right")
        api.expect(said).to_have_text("2 of 3 pairs rated.")
        page.keyboard.press("u")
        api.expect(said).to_have_text("1 of 3 pairs rated.")
        page.click("#tie")
        api.expect(said).to_have_text("2 of 3 pairs rated.")
        page.click("#left")
        api.expect(said).to_have_text("3 of 3 pairs rated. All pairs are rated.")
        api.expect(page.locator("#places tr")).to_have_count(3)
        assert "3 votes on Number Output: the eye" in page.text_content("#agreement")
    assert sorted(share for _, _, share in votes.read()) == [0.5, 1.0, 1.0]
    report = write_report("synthetic", out=tmp_path, reports=tmp_path / "reports")
    page = visit(report.folder)
    assert page.locator("#table-view").get_by_text("by eye").count() == 3
    assert "Spearman's rank correlation" in page.locator("#caption").inner_text()
