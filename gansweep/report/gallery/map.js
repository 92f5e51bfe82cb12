// The map: two parameters as axes, and where they meet the best picture of the rows there.

const MOST = 30;  // values an axis can have and still be looked at

const axes = page.columns.map((column, index) => ({ column, index, values: axisValues(index) }))
  .filter(({ values }) => values.length > 1 && values.length <= MOST);
const map = {};

// [value, text] of all that occurs in the column: numbers in order, then texts, then nothing.
function axisValues(index) {
  const seen = new Map(rows.map((row) => [row.texts[index], row.values[index]]));
  if (seen.size > MOST) return [];
  const rank = (v) => (v === null || v === undefined ? 2 : typeof v === "number" ? 0 : 1);
  const collator = new Intl.Collator("en", { numeric: true });
  return [...seen].map(([text, value]) => [value, text]).sort(([a, s], [b, t]) =>
    rank(a) - rank(b) || (rank(a) === 0 ? a - b : collator.compare(s, t)));
}

function buildMap() {
  const possible = axes.length > 1 && page.pictures.length > 0;
  at("views").hidden = !possible;
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
  at("map-view").append(
    make("div", { class: "axes" }, xLabel, yLabel, pictureLabel), map.grid);
}

function drawMap() {
  const x = axes[map.x.value];
  const y = axes[map.y.value];
  const index = Number(map.picture.value);
  const places = new Map();
  for (const row of shown.rows) {
    const place = JSON.stringify([row.texts[x.index], row.texts[y.index]]);
    if (!places.has(place)) places.set(place, []);
    places.get(place).push(row);
  }
  const head = make("tr", {}, make("td", { class: "corner" },
    make("span", {}, `${x.column.heading} →`), make("span", {}, `${y.column.heading} ↓`)),
    ...x.values.map(([, text]) => make("th", { scope: "col" }, text)));
  const lines = y.values.map(([, down]) => make("tr", {}, make("th", { scope: "row" }, down),
    ...x.values.map(([, across]) =>
      mapCell(places.get(JSON.stringify([across, down])) ?? [], index))));
  const label = `${page.pictures[index].heading} by ${x.column.heading} and ${y.column.heading}`;
  map.grid.replaceChildren(make("table", { "aria-label": label },
    make("thead", {}, head), make("tbody", {}, ...lines)));
}

function mapCell(here, index) {
  if (!here.length) return make("td", { class: "empty" });
  const best = here.reduce((one, row) =>
    (better(row.cells[index].value, one.cells[index].value, page.pictures[index]) ? row : one));
  const cell = best.cells[index];
  const count = here.length === 1 ? null
    : make("p", { class: "note" }, `best of ${here.length} rows`);
  if (!cell.runs) return make("td", {}, make("p", { class: "why" }, cell.why), count);
  const thumbs = here.length > 1 ? cell.thumbs.slice(0, 1) : cell.thumbs;
  return make("td", {},
    make("div", { class: "thumbs" }, ...thumbs.map(thumbnail)),
    make("p", { class: "verdict" }, ...verdictOf(cell)), count);
}
