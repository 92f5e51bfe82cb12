// Keys of the page; the viewer and the comparison have their own. `?` shows all of them.

const KEYS = [
  ["/", "goes to the filter"],
  ["j k", "go to the next and the previous row; in an open run, to its neighbour's run"],
  ["← → ↑ ↓", "go to the picture beside, above and below; in an open run, ← → move through training"],
  ["Enter", "opens the run of the picture"],
  ["x", "chooses the run of the picture for a comparison"],
  ["1 2 3 4", "show the table, the wall, the map and the plots"],
  ["+ −", "make the pictures larger and smaller"],
  ["d", "changes between dark and light"],
  ["Esc", "closes what is open"],
  ["?", "shows this list"],
];

function buildKeys() {
  byId("help-list").append(...KEYS.map(([keys, meaning]) => make("div", {},
    make("dt", {}, ...keys.split(" ").flatMap((key) => [make("kbd", {}, key), " "])),
    make("dd", {}, meaning))));
  byId("help-button").addEventListener("click", showHelp);
  byId("help").querySelector(".close").addEventListener("click", () => byId("help").close());
  document.addEventListener("keydown", pressed);
}

function showHelp() {
  if (!byId("help").open) byId("help").showModal();
}

function pressed(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const typing = event.target.closest("input:not([type=checkbox], [type=radio]), select, textarea");
  if (event.target.closest("dialog")) {
    if (event.key === "?" && !typing) showHelp();
    return;
  }
  if (typing) {
    if (event.key === "Escape") {
      event.target.blur();
      applyFilter();  // before the next key, which may go to a row
    }
    return;
  }
  if (event.target.closest("[type=radio]") && event.key.startsWith("Arrow")) return;
  if (act(event.key)) event.preventDefault();
}

// Does what a key stands for. Returns whether it stands for anything here.
function act(key) {
  if (key === "/") {
    byId("filter").focus();
    byId("filter").select();
  } else if (key === "?") showHelp();
  else if (key === "d") changeTheme();
  else if (key === "j" || key === "k") moveRow(key === "j" ? 1 : -1);
  else if (key.startsWith("Arrow")) return movePicture(key);
  else if (key === "x") return chooseFocused();
  else if (key === "+" || key === "-" || key === "−") stepSize(key === "+" ? 1 : -1);
  else if (Number(key) >= 1 && Number(key) <= VIEWS.length) return showViewAt(Number(key) - 1);
  else return false;
  return true;
}

function focusedPicture() {
  return document.activeElement?.closest("main button.open");
}

// Focuses the first picture of the next or the previous row in the order shown.
function moveRow(by) {
  const focused = focusedPicture();
  const run = focused && runs.get(focused.dataset.run);
  const now = run ? shown.rows.findIndex(({ key }) => key === run.row) : by > 0 ? -1 : 1;
  const row = shown.rows[Math.max(0, Math.min(shown.rows.length - 1, now + by))];
  if (!row) return;
  const place = run?.picture ?? 0;
  const ids = row.cells[place].runs ?? runsOf(row);
  if (state.view === "table") revealRow(row.key);
  const buttons = [...document.querySelectorAll("main button.open")];
  focusPicture(buttons.find((button) => ids.includes(button.dataset.run)));
}

// Focuses the nearest picture in the direction of an arrow key. Returns whether one had the focus.
function movePicture(key) {
  const focused = focusedPicture();
  if (!focused) return false;
  const centre = (element) => {
    const box = element.getBoundingClientRect();
    return [box.x + box.width / 2, box.y + box.height / 2];
  };
  const [x, y] = centre(focused);
  const across = key === "ArrowLeft" || key === "ArrowRight";
  const sign = key === "ArrowRight" || key === "ArrowDown" ? 1 : -1;
  let found = null;
  for (const button of document.querySelectorAll("main button.open")) {
    const [dx, dy] = centre(button).map((value, i) => value - [x, y][i]);
    const [ahead, aside] = across ? [dx, dy] : [dy, dx];
    if (sign * ahead < 5) continue;
    const cost = sign * ahead + 4 * Math.abs(aside);
    if (!found || cost < found[0]) found = [cost, button];
  }
  focusPicture(found?.[1]);
  return true;
}

function focusPicture(button) {
  button?.focus({ preventScroll: true });
  button?.scrollIntoView({ block: "nearest" });
}

function chooseFocused() {
  const id = focusedPicture()?.dataset.run;
  if (!id) return false;
  choose(id, { checked: !chosen.has(id) });
  return true;
}

function stepSize(by) {
  const slider = byId("size");
  slider.value = Number(slider.value) + by;
  slider.dispatchEvent(new Event("input"));
}
