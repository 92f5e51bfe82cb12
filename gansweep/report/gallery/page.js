// This file starts the page and runs what surrounds the views: filter, statuses, keys, printing.

const STATUSES = ["done", "running", "failed", "diverged", "pruned", "interrupted", "planned"];
const filter = { text: "", test: () => true };

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
  buildStatuses();
  for (const radio of document.getElementsByName("view")) {
    radio.addEventListener("change", () => { showView(); update(); });
  }
  byId("tools").hidden = byId("keys").hidden = false;
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
  byId("statuses").append(...known.map((status) => make("label", {},
    make("input", { type: "checkbox", value: status, onchange: update }),
    ` ${counts.get(status).toLocaleString("en")} ${status}`)));
  byId("statuses").hidden = known.length < 2;
}

// Applies the filter if it has changed. Otherwise a click outside the box would redraw the very
// element that was clicked.
function applyFilter() {
  const text = byId("filter").value;
  if (text === filter.text) return;
  filter.text = text;
  const parsed = parseFilter(text);
  byId("filter-error").textContent = parsed.error ?? "";
  byId("filter-error").hidden = !parsed.error;
  byId("filter").setAttribute("aria-invalid", String(Boolean(parsed.error)));
  if (parsed.error) return;  // the shown rows stay
  filter.test = parsed.test;
  update();
}

function update() {
  const wanted = [...byId("statuses").querySelectorAll(":checked")].map((box) => box.value);
  const passes = (row) => filter.test(row)
    && (!wanted.length || runsOf(row).some((id) => wanted.includes(runs.get(id).status)));
  shown.rows = sorted(rows.filter(passes));
  shown.sorted = sorting.column !== null;
  const all = rows.length.toLocaleString("en");
  byId("shown").textContent = shown.rows.length === rows.length
    ? `${all} ${rows.length === 1 ? "row" : "rows"}`
    : `${shown.rows.length.toLocaleString("en")} of ${all} rows`;
  if (byId("map-view").hidden) drawTable();
  else drawMap();
}

function showView() {
  const asMap = document.querySelector("[name=view]:checked").value === "map";
  byId("map-view").hidden = !asMap;
  byId("table-view").hidden = asMap;
  byId("sort-label").hidden = asMap;
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input[type=search], select, dialog")) return;
  event.preventDefault();
  byId("filter").focus();
  byId("filter").select();
});

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

buildTools();
buildTable();
buildMap();
buildViewer();
buildComparison();
byId("caption").append(...page.caption.map((sentence) => make("li", {}, sentence)));
if (page.command) byId("command").append(command(page.command));
update();
followHash();
