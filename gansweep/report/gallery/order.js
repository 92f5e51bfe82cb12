// This file sorts the rows. The usual order is the best first, by the rank in a picture column.

const ARROWS = { none: "", ascending: "▲", descending: "▼" };
const PLANNED = "plan";  // the order of the sweep, with its remarks

// The sortable columns, in order. The key stands in the address.
const fields = [
  ...page.columns.map((column, place) => ({
    ...column, key: column.name, title: column.name, read: (row) => row.values[place],
  })),
  ...page.pictures.map((picture, place) => ({
    ...picture, key: picture.heading, title: picture.heading,
    read: (row) => row.cells[place].value,
  })),
];

const ranked = () => page.pictures.flatMap((_, place) =>
  (rows.some((row) => row.cells[place].rank) ? [place] : []));
const bestKey = (place) => `best${place || ""}`;

// Returns the order that `text` of the address means: {key, descending} or {best} or {planned}.
function orderOf(text) {
  const best = ranked().find((place) => bestKey(place) === text);
  if (best !== undefined) return { best };
  const [, key, direction] = text.match(/^(.*?)(:desc)?$/s);
  if (fields.some((field) => field.key === key)) return { key, descending: Boolean(direction) };
  return ranked().length && text !== PLANNED ? { best: ranked()[0] } : { planned: true };
}

function buildOrder() {
  const options = [
    ...ranked().map((place) => [bestKey(place),
      ranked().length > 1 ? `best ${page.pictures[place].heading} first` : "best first"]),
    [PLANNED, "as planned"],
    ...fields.flatMap(({ key, title }) => [[key, `${title} ▲`], [`${key}:desc`, `${title} ▼`]]),
  ];
  byId("sort").replaceChildren(...options.map(([value, text]) => make("option", { value }, text)));
}

// Sorts ascending, then descending, then restores the usual order.
function sortNext({ key }) {
  const order = orderOf(state.sort);
  const next = order.key !== key ? key : order.descending ? "" : `${key}:desc`;
  setState({ sort: next });
  update();
}

function showOrder() {
  const order = orderOf(state.sort);
  for (const head of byId("table-view").querySelectorAll("th[aria-sort]")) {
    const way = order.key !== head.dataset.key ? "none"
      : order.descending ? "descending" : "ascending";
    head.setAttribute("aria-sort", way);
    head.querySelector(".arrow").textContent = ARROWS[way];
  }
  byId("sort").value = order.planned ? PLANNED : order.best !== undefined ? bestKey(order.best)
    : order.key + (order.descending ? ":desc" : "");
}

// Returns the rows sorted: numbers before texts; rows without a value are last in both directions.
function sorted(list) {
  const { best, key, descending, planned } = orderOf(state.sort);
  if (planned) return list;
  if (best !== undefined) return bestFirst(list, best);
  const { read } = fields.find((field) => field.key === key);
  const rank = (v) => (missing(v) ? 2 : typeof v === "number" ? 0 : 1);
  const sign = descending ? -1 : 1;
  const collator = new Intl.Collator("en", { numeric: true });
  return list.map((row) => [read(row), row]).sort(([a], [b]) => {
    if (rank(a) === 2 || rank(b) === 2) return rank(a) - rank(b);
    if (rank(a) !== rank(b)) return sign * (rank(a) - rank(b));
    return sign * (rank(a) === 0 ? a - b : collator.compare(a, b));
  }).map(([, row]) => row);
}

// Rows without a rank follow: those with a value, by the value, and then the others as planned.
function bestFirst(list, place) {
  const sign = page.pictures[place].direction === "maximize" ? -1 : 1;
  const key = ({ cells }) => {
    const { rank, value } = cells[place];
    return rank ? [0, rank] : missing(value) ? [2, 0] : [1, sign * value];
  };
  return list.map((row) => [key(row), row])
    .sort(([[a, x]], [[b, y]]) => a - b || x - y).map(([, row]) => row);
}
