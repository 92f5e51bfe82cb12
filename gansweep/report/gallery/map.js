// The map has two parameters as axes. Each cell shows the best picture of the rows with its values.

const MAX_AXIS_VALUES = 30;

const axes = page.columns.map((column, index) => ({ column, index, values: axisValues(index) }))
  .filter(({ values }) => values.length > 1 && values.length <= MAX_AXIS_VALUES);
const map = {};

// Returns [value, text] of the distinct values of a column: numbers, then texts, then null.
function axisValues(index) {
  const seen = new Map(rows.map((row) => [row.texts[index], row.values[index]]));
  if (seen.size > MAX_AXIS_VALUES) return [];
  const rank = (v) => (v === null || v === undefined ? 2 : typeof v === "number" ? 0 : 1);
  const collator = new Intl.Collator("en", { numeric: true });
  return [...seen].map(([text, value]) => [value, text]).sort(([a, s], [b, t]) =>
    rank(a) - rank(b) || (rank(a) === 0 ? a - b : collator.compare(s, t)));
}

function buildMap() {
  const possible = axes.length > 1 && page.pictures.length > 0;
  byId("views").hidden = !possible;
  if (!possible) return;
  const choice = (label, options, chosen) => {
    const select = make("select", { onchange: drawMap }, ...options.map(([value, text]) =>
      make("option", { value, selected: value === chosen }, text)));
    return [select, make("label", {}, label, " ", select)];
  };
  const columns = axes.map(({ column }, i) => [i, column.heading]);
  const pictures = page.pictures.map(({ heading }, i) => [i, heading]);
  const [x, xLabel] = choice("across", columns, 0);
  const [y, yLabel] = choice("down", columns, 1);
  const [shownPicture, pictureLabel] = choice("picture", pictures, 0);
  pictureLabel.hidden = pictures.length < 2;
  Object.assign(map, { x, y, picture: shownPicture, grid: make("div", { class: "grid" }) });
  byId("map-view").append(
    make("div", { class: "axes" }, xLabel, yLabel, pictureLabel), map.grid);
}

function drawMap() {
  const x = axes[map.x.value];
  const y = axes[map.y.value];
  const index = Number(map.picture.value);
  const rowsByValues = new Map();
  for (const row of shown.rows) {
    const values = JSON.stringify([row.texts[x.index], row.texts[y.index]]);
    if (!rowsByValues.has(values)) rowsByValues.set(values, []);
    rowsByValues.get(values).push(row);
  }
  const head = make("tr", {}, make("td", { class: "corner" },
    make("span", {}, `${x.column.heading} →`), make("span", {}, `${y.column.heading} ↓`)),
    ...x.values.map(([, text]) => make("th", { scope: "col" }, text)));
  const lines = y.values.map(([, down]) => make("tr", {}, make("th", { scope: "row" }, down),
    ...x.values.map(([, across]) =>
      mapCell(rowsByValues.get(JSON.stringify([across, down])) ?? [], index))));
  const label = `${page.pictures[index].heading} by ${x.column.heading} and ${y.column.heading}`;
  map.grid.replaceChildren(make("table", { "aria-label": label },
    make("thead", {}, head), make("tbody", {}, ...lines)));
}

function mapCell(cellRows, index) {
  if (!cellRows.length) return make("td", { class: "empty" });
  const best = cellRows.reduce((a, b) =>
    (better(b.cells[index].value, a.cells[index].value, page.pictures[index]) ? b : a));
  const cell = best.cells[index];
  const count = cellRows.length === 1 ? null
    : make("p", { class: "note" }, `best of ${cellRows.length} rows`);
  if (!cell.runs) return make("td", {}, make("p", { class: "why" }, cell.why), count);
  const thumbs = cellRows.length > 1 ? cell.thumbs.slice(0, 1) : cell.thumbs;
  return make("td", {},
    make("div", { class: "thumbs" }, ...thumbs.map(thumbnail)),
    make("p", { class: "verdict" }, ...verdictOf(cell)), count);
}
