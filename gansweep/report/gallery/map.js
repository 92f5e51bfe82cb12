// The map has up to four parameters as axes: two across and two down, where the second one repeats
// within each value of the first. A cell shows the best picture of the rows with its values.

const MAX_AXIS_VALUES = 30;
const MAP_SELECTS = ["map-x", "map-x2", "map-y", "map-y2"];

const axes = page.columns.map((column, index) => ({ column, index, values: axisValues(index) }))
  .filter(({ values }) => values.length > 1 && values.length <= MAX_AXIS_VALUES);
const axisCalled = (name) => axes.find(({ column }) => column.name === name);

// Returns the texts of the distinct values of a column: numbers, then texts, then null.
function axisValues(index) {
  const seen = new Map(rows.map((row) => [row.texts[index], row.values[index]]));
  if (seen.size > MAX_AXIS_VALUES) return [];
  const rank = (v) => (missing(v) ? 2 : typeof v === "number" ? 0 : 1);
  const collator = new Intl.Collator("en", { numeric: true });
  return [...seen].sort(([s, a], [t, b]) =>
    rank(a) - rank(b) || (rank(a) === 0 ? a - b : collator.compare(s, t))).map(([text]) => text);
}

const mapPossible = () => axes.length > 1 && page.pictures.length > 0;

function buildMap() {
  if (!mapPossible()) return;
  for (const id of MAP_SELECTS) {
    const options = axes.map(({ column }) => make("option", { value: column.name }, column.name));
    if (id.endsWith("2")) options.unshift(make("option", { value: "" }, "–"));
    byId(id).append(...options);
    byId(id).addEventListener("change", () => {
      const [x, x2, y, y2] = MAP_SELECTS.map((select) => byId(select).value);
      setState({ x: [x, x2].filter(Boolean).join(), y: [y, y2].filter(Boolean).join() });
      update();
    });
  }
  byId("map-png").addEventListener("click", saveMap);
}

// Returns the axes {x: [axis, axis?], y: …} of the address. Without one, the first two are taken.
function mapAxes() {
  const named = (text) => [...new Set(text.split(","))].map(axisCalled).filter(Boolean).slice(0, 2);
  let [x, y] = [named(state.x), named(state.y)];
  if (!x.length) x = [axes.find((axis) => axis !== y[0])];
  y = y.filter((axis) => !x.includes(axis));
  if (!y.length) y = [axes.find((axis) => !x.includes(axis))].filter(Boolean);
  if (!y.length) [x, y] = [[x[0]], [x[1] ?? axes.find((axis) => axis !== x[0])]];
  return { x, y };
}

// Returns the combinations of values that rows have along some axes, in order, as lists of texts.
function combinations(along) {
  const found = new Map(rows.map((row) => {
    const values = along.map(({ index }) => row.texts[index]);
    return [JSON.stringify(values), values];
  }));
  const places = (values) => values.map((text, i) => along[i].values.indexOf(text));
  return [...found.values()].sort((a, b) => {
    const [p, q] = [places(a), places(b)];
    return p[0] - q[0] || (p[1] ?? 0) - (q[1] ?? 0);
  });
}

// Returns what the map shows: {x, y, across, down, place, rowsAt(values across, values down)}.
function mapped() {
  const { x, y } = mapAxes();
  const [place] = placesShown("map");
  const rowsByValues = new Map();
  for (const row of shown.rows) {
    const key = JSON.stringify([x, y].map((along) => along.map(({ index }) => row.texts[index])));
    if (!rowsByValues.has(key)) rowsByValues.set(key, []);
    rowsByValues.get(key).push(row);
  }
  const rowsAt = (across, down) => rowsByValues.get(JSON.stringify([across, down])) ?? [];
  return { x, y, across: combinations(x), down: combinations(y), place, rowsAt };
}

function drawMap() {
  const { x, y, across, down, place, rowsAt } = mapped();
  [x[0], x[1], y[0], y[1]].forEach((axis, i) => {
    byId(MAP_SELECTS[i]).value = axis?.column.name ?? "";
  });
  const corner = make("td", { class: "corner", colspan: y.length, rowspan: x.length },
    make("span", {}, `${namesOf(x)} →`), make("span", {}, `${namesOf(y)} ↓`));
  const heads = x.map((_, level) => make("tr", {}, level === 0 ? corner : null,
    ...groups(across, level, x.length).map(([text, span]) =>
      make("th", { scope: span > 1 ? "colgroup" : "col", colspan: span }, text))));
  const starts = y.map((_, level) => groups(down, level, y.length));
  const lines = down.map((values, line) => make("tr", {},
    ...starts.map((list) => list.find(([, , start]) => start === line))
      .filter(Boolean).map(([text, span]) => make("th", { scope: "row", rowspan: span }, text)),
    ...across.map((also) => mapCell(rowsAt(also, values), place))));
  const label = `${page.pictures[place].heading} by ${namesOf(x)} and ${namesOf(y)}`;
  byId("map-grid").replaceChildren(make("table", { "aria-label": label },
    make("thead", {}, ...heads), make("tbody", {}, ...lines)));
  byId("map-said").textContent = "";
}

const namesOf = (along) => along.map(({ column }) => column.name).join(", ");

// Returns [text, length, start] of the neighbours with one value at this level of the axes. The
// values of the last level stand alone.
function groups(list, level, levels) {
  const found = [];
  list.forEach((values, start) => {
    const before = found.at(-1);
    const same = before && JSON.stringify(values.slice(0, level + 1)) === before[3];
    if (same && level < levels - 1) before[1] += 1;
    else found.push([values[level], 1, start, JSON.stringify(values.slice(0, level + 1))]);
  });
  return found;
}

function bestOfRows(list, place) {
  return list.reduce((a, b) =>
    (better(b.cells[place].value, a.cells[place].value, page.pictures[place]) ? b : a));
}

function mapCell(cellRows, place) {
  if (!cellRows.length) return make("td", { class: "empty" });
  const cell = bestOfRows(cellRows, place).cells[place];
  const count = cellRows.length === 1 ? null
    : make("p", { class: "note" }, `best of ${cellRows.length} rows`);
  if (!cell.runs) return make("td", {}, make("p", { class: "why" }, cell.why), count);
  const thumbs = cellRows.length > 1 ? cell.thumbs.slice(0, 1) : cell.thumbs;
  return make("td", { class: cell.mark === "best" ? "leader" : null },
    make("div", { class: "thumbs" }, ...thumbs.map(thumbnail)),
    ...labelOf({ ...cell, words: faultsIn(cell.words) }, page.pictures[place]), count);
}
