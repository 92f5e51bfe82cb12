// This file starts the page and runs what surrounds the views: filter, statuses, views, printing.

const STATUSES = ["done", "running", "failed", "diverged", "pruned", "interrupted", "planned"];
const VIEWS = ["table", "wall", "map", "plots"];
const DRAW = { table: drawTable, wall: drawWall, map: drawMap, plots: drawPlots };
const filter = { text: null, test: () => true, names: [] };

function buildTools() {
  const index = page.columns.findIndex((column) => column.numeric);
  const example = rows.map((row) => row.values[index])
    .find((value) => typeof value === "number");
  const hint = example === undefined ? "" : `, or ${quoted(page.columns[index].name)}<=${example}`;
  byId("filter").placeholder = `Words${hint}`;
  let timer = null;
  byId("filter").addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(applyFilter, 150);
  });
  byId("filter").addEventListener("change", applyFilter);
  byId("sort").addEventListener("change", () => {
    setState({ sort: byId("sort").value === bestKey(ranked()[0]) ? "" : byId("sort").value });
    update();
  });
  for (const radio of document.getElementsByName("view")) {
    radio.addEventListener("change", () => { setState({ view: radio.value }); update(); });
  }
  byId("tools").hidden = false;
  // The table's head sticks below the tools, whatever their height.
  new ResizeObserver(() => {
    const sticky = getComputedStyle(byId("tools")).position === "sticky";
    const height = sticky ? byId("tools").offsetHeight : 0;
    document.documentElement.style.setProperty("--tools", `${height}px`);
  }).observe(byId("tools"));
}

function buildStatuses() {
  const counts = new Map();
  for (const { status } of runs.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
  const known = [...STATUSES.filter((status) => counts.has(status)),
    ...[...counts.keys()].filter((status) => !STATUSES.includes(status))];
  const wanted = state.status.split(",");
  byId("statuses").replaceChildren(
    make("legend", { class: "visually-hidden" }, "Show only rows with runs of these statuses"),
    ...known.map((status) => make("label", {},
      make("input", {
        type: "checkbox", value: status, checked: wanted.includes(status), onchange: chooseStatuses,
      }),
      ` ${counts.get(status).toLocaleString("en")} ${status}`)));
  byId("statuses").hidden = known.length < 2;
}

function chooseStatuses() {
  const boxes = [...byId("statuses").querySelectorAll(":checked")];
  setState({ status: boxes.map((box) => box.value).join() });
  update();
}

// Applies the filter if it has changed. Otherwise a click outside the box would redraw the very
// element that was clicked.
function applyFilter() {
  if (byId("filter").value === filter.text) return;
  setState({ where: byId("filter").value });
  readFilter();
  update();
}

// Reads the filter of the state. If it is wrong, the rows that are shown stay.
function readFilter() {
  filter.text = state.where;
  const parsed = parseFilter(state.where);
  byId("filter-error").textContent = parsed.error ?? "";
  byId("filter-error").hidden = !parsed.error;
  byId("filter").setAttribute("aria-invalid", String(Boolean(parsed.error)));
  if (!parsed.error) Object.assign(filter, parsed);
}

function update() {
  const wanted = state.status.split(",").filter(Boolean);
  const passes = (row) => filter.test(row)
    && (!wanted.length || runsOf(row).some((id) => wanted.includes(runs.get(id).status)));
  shown.rows = sorted(rows.filter(passes));
  shown.sorted = !orderOf(state.sort).planned;
  const all = rows.length.toLocaleString("en");
  byId("shown").textContent = shown.rows.length === rows.length
    ? `${all} ${rows.length === 1 ? "row" : "rows"}`
    : `${shown.rows.length.toLocaleString("en")} of ${all} rows`;
  showNone();
  showView();
  showOrder();
  showPictureChoice();
  const focused = focusedPicture()?.dataset.run;
  DRAW[state.view]();
  showSize();
  if (focused) {  // the element that had the focus was drawn anew
    byId(`${state.view}-view`).querySelector(`[data-run="${CSS.escape(focused)}"]`)
      ?.focus({ preventScroll: true });
  }
}

// Says why no row is shown, and which values there are.
function showNone() {
  const none = byId("none");
  none.hidden = shown.rows.length > 0;
  if (!none.hidden) {
    const values = valuesInWords(filter.names);
    none.replaceChildren(
      make("p", {}, `No row matches ${state.where || "these statuses"}.`, values ? ` ${values}.` : ""),
      make("button", { type: "button", onclick: showAllRows }, "Show all rows"));
  }
}

function showAllRows() {
  setState({ where: "", status: "" });
  showState();
  byId("filter").focus({ preventScroll: true });
}

function showView() {
  for (const view of VIEWS) byId(`${view}-view`).hidden = view !== state.view;
  for (const radio of document.getElementsByName("view")) {
    radio.checked = radio.value === state.view;
    radio.parentElement.hidden = radio.value === "map" && !mapPossible();
  }
  byId("sort-label").hidden = ["map", "plots"].includes(state.view);
  byId("size-label").hidden = state.view === "plots";
}

function showViewAt(place) {
  if (VIEWS[place] === "map" && !mapPossible()) return false;
  setState({ view: VIEWS[place] });
  update();
  return true;
}

// Shows the state, which was read from the address, in all controls and views.
function showState() {
  if (!VIEWS.includes(state.view) || (state.view === "map" && !mapPossible())) {
    setState({ view: "table" });
  }
  byId("filter").value = state.where;
  buildStatuses();
  readFilter();
  update();
}

// Shows everything that does not depend on the state, again after new data.
function showData() {
  texts.clear();
  bestValues.clear();
  buildBest();
  buildLegend();
  buildOrder();
  byId("caption").replaceChildren(...page.caption.map((sentence) => make("li", {}, sentence)));
  byId("command").replaceChildren(...(page.command ? [command(page.command)] : []));
}

function drawAll() {
  drawMore(Infinity);
  const images = [...document.querySelectorAll("main img")];
  for (const image of images) image.loading = "eager";
  return images;
}

addEventListener("beforeprint", drawAll);

// Printing a long table by Ctrl-P waits for its pictures.
document.addEventListener("keydown", async (event) => {
  const printing = event.key === "p" && (event.ctrlKey || event.metaKey) && !event.shiftKey;
  if (!LONG_TABLE || !printing) return;
  event.preventDefault();
  await Promise.allSettled(drawAll().map((image) => image.decode()));
  print();
});

buildTheme();
buildTools();
buildSizes();
buildPictureChoice();
buildTable();
buildMap();
buildViewer();
buildComparison();
buildSwipe();
buildKeys();
showData();
readAddress();
showState();
followAddress();
startLive();
