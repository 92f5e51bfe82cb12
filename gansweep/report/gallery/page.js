// The page around the views: filter, statuses, view switch, keys, printing. It starts everything.

const STATUSES = ["done", "running", "failed", "diverged", "interrupted", "planned"];
const filter = { text: "", test: () => true };

function buildTools() {
  const index = page.columns.findIndex((column) => column.numeric);
  const example = rows.map((row) => row.values[index])
    .find((value) => typeof value === "number");
  const hint = example === undefined ? "" : `, or ${quoted(page.columns[index].name)}<=${example}`;
  at("filter").placeholder = `Words${hint}`;
  let pause = null;
  at("filter").addEventListener("input", () => {
    clearTimeout(pause);
    pause = setTimeout(applyFilter, 150);
  });
  at("filter").addEventListener("change", applyFilter);
  buildStatuses();
  for (const radio of document.getElementsByName("view")) {
    radio.addEventListener("change", () => { showView(); update(); });
  }
  at("tools").hidden = at("keys").hidden = false;
  // The table's head sticks below the tools, however many lines they take.
  new ResizeObserver(() => {
    const sticky = getComputedStyle(at("tools")).position === "sticky";
    const height = sticky ? at("tools").offsetHeight : 0;
    document.documentElement.style.setProperty("--tools", `${height}px`);
  }).observe(at("tools"));
}

function buildStatuses() {
  const counts = new Map();
  for (const { status } of runs.values()) counts.set(status, (counts.get(status) ?? 0) + 1);
  const known = [...STATUSES.filter((status) => counts.has(status)),
    ...[...counts.keys()].filter((status) => !STATUSES.includes(status))];
  at("statuses").append(...known.map((status) => make("label", {},
    make("input", { type: "checkbox", value: status, onchange: update }),
    ` ${counts.get(status).toLocaleString("en")} ${status}`)));
  at("statuses").hidden = known.length < 2;
}

// Only if it has changed: when a click leaves the box, its target must not be drawn anew.
function applyFilter() {
  const text = at("filter").value;
  if (text === filter.text) return;
  filter.text = text;
  const parsed = parseFilter(text);
  at("filter-error").textContent = parsed.error ?? "";
  at("filter-error").hidden = !parsed.error;
  at("filter").setAttribute("aria-invalid", String(Boolean(parsed.error)));
  if (parsed.error) return;  // what was shown stays
  filter.test = parsed.test;
  update();
}

function update() {
  const wanted = [...at("statuses").querySelectorAll(":checked")].map((box) => box.value);
  const passes = (row) => filter.test(row)
    && (!wanted.length || runsOf(row).some((id) => wanted.includes(runs.get(id).status)));
  shown.rows = sorted(rows.filter(passes));
  shown.sorted = sorting.column !== null;
  const all = rows.length.toLocaleString("en");
  at("shown").textContent = shown.rows.length === rows.length
    ? `${all} ${rows.length === 1 ? "row" : "rows"}`
    : `${shown.rows.length.toLocaleString("en")} of ${all} rows`;
  if (at("map-view").hidden) drawTable();
  else drawMap();
}

function showView() {
  const asMap = document.querySelector("[name=view]:checked").value === "map";
  at("map-view").hidden = !asMap;
  at("table-view").hidden = asMap;
  at("sort-label").hidden = asMap;
}

document.addEventListener("keydown", (event) => {
  if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.closest("input[type=search], select, dialog")) return;
  event.preventDefault();
  at("filter").focus();
  at("filter").select();
});

function drawAll() {
  drawMore(Infinity);
  const images = [...document.querySelectorAll("main img")];
  for (const image of images) image.loading = "eager";
  return images;
}

addEventListener("beforeprint", drawAll);

// Printed by its keys, a long table waits for its pictures.
document.addEventListener("keydown", async (event) => {
  if (!LONG || event.key !== "p" || !(event.ctrlKey || event.metaKey) || event.shiftKey) return;
  event.preventDefault();
  await Promise.allSettled(drawAll().map((image) => image.decode()));
  print();
});

buildTools();
buildTable();
buildMap();
buildViewer();
buildComparison();
at("caption").append(...page.caption.map((sentence) => make("li", {}, sentence)));
if (page.command) at("command").append(command(page.command));
update();
followHash();
