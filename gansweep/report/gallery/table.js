// The table: a row a setting, sorted by any column; a long one is drawn in portions as it is
// scrolled. A short one is drawn at once and with all its pictures, so that any way to print it
// prints them: a browser does not wait for those it only begins to load then.

const LONG = rows.length > 200;
const PORTION = LONG ? 50 : rows.length;  // rows: a few screens of them

const ARROWS = { none: "", ascending: "▲", descending: "▼" };

const table = { body: null, drawn: 0, end: make("div", { class: "end" }) };
const sorting = { column: null, descending: false };
const fields = [...page.columns, ...page.pictures];  // what can be sorted by, in the table's order

const observer = new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting)) drawMore();
}, { rootMargin: "1500px" });

// Elements become blocks on a phone and would lose their meaning there without the roles.
function buildTable() {
  const head = make("tr", { role: "row" },
    make("th", { role: "columnheader", class: "number" }, "row"),
    ...fields.map((field, index) => make("th", {
      role: "columnheader",
      scope: "col",
      class: field.numeric ? "number" : field.direction ? "picture" : null,
      "aria-sort": "none",
    }, make("button", { type: "button", onclick: () => sortNext(index) },
      field.heading, make("span", { class: "arrow", "aria-hidden": "true" })))));
  table.body = make("tbody", { role: "rowgroup" });
  at("table-view").append(
    make("table", { role: "table", "aria-label": page.title },
      make("thead", { role: "rowgroup" }, head), table.body),
    make("p", { class: "none", hidden: true }, "No row passes the filter."),
    table.end,
  );
  at("sort").append(make("option", { value: "" }, "original order"),
    ...fields.flatMap((field, i) => [
      make("option", { value: `${i} up` }, `${field.heading} ▲`),
      make("option", { value: `${i} down` }, `${field.heading} ▼`),
    ]));
  at("sort").addEventListener("change", () => {
    const [column, way] = at("sort").value.split(" ");
    sortBy(column === "" ? null : Number(column), way === "down");
  });
}

// Ascending, descending, original.
function sortNext(column) {
  if (sorting.column !== column) sortBy(column, false);
  else if (!sorting.descending) sortBy(column, true);
  else sortBy(null, false);
}

function sortBy(column, descending) {
  Object.assign(sorting, { column, descending });
  at("table-view").querySelectorAll("th[aria-sort]").forEach((head, index) => {
    const way = index !== column ? "none" : descending ? "descending" : "ascending";
    head.setAttribute("aria-sort", way);
    head.querySelector(".arrow").textContent = ARROWS[way];
  });
  at("sort").value = column === null ? "" : `${column} ${descending ? "down" : "up"}`;
  update();
}

// Numbers, then texts, then what has no value, in either direction last.
function sorted(list) {
  if (sorting.column === null) return list;
  const picture = sorting.column - page.columns.length;
  const value = (row) =>
    (picture < 0 ? row.values[sorting.column] : row.cells[picture].value) ?? null;
  const rank = (v) => (v === null ? 2 : typeof v === "number" ? 0 : 1);
  const way = sorting.descending ? -1 : 1;
  const collator = new Intl.Collator("en", { numeric: true });
  return list.map((row) => [value(row), row]).sort(([a], [b]) => {
    if (rank(a) === 2 || rank(b) === 2) return rank(a) - rank(b);
    if (rank(a) !== rank(b)) return way * (rank(a) - rank(b));
    return way * (rank(a) === 0 ? a - b : collator.compare(a, b));
  }).map(([, row]) => row);
}

function drawTable() {
  table.body.replaceChildren();
  table.drawn = 0;
  at("table-view").querySelector(".none").hidden = shown.rows.length > 0;
  drawMore();
}

function drawMore(count = PORTION) {
  const part = document.createDocumentFragment();
  for (const row of shown.rows.slice(table.drawn, table.drawn + count)) {
    const before = shown.rows[table.drawn - 1];
    const remark = page.tables[row.table].remark;
    if (!shown.sorted && remark && before?.table !== row.table) part.append(remarkRow(remark));
    part.append(tableRow(row));
    table.drawn += 1;
  }
  table.body.append(part);
  // It tells of changes only: what is still in sight after this portion has to be told anew.
  observer.unobserve(table.end);
  if (table.drawn < shown.rows.length) observer.observe(table.end);
}

// Draw up to the row of `key`. Returns its element, or undefined if it is not shown.
function revealRow(key) {
  const index = shown.rows.findIndex((row) => row.key === key);
  if (index >= table.drawn) drawMore(index + 1 - table.drawn);
  return [...table.body.children].find((element) => element.dataset.key === key);
}

function remarkRow(remark) {
  const span = fields.length + 1;
  return make("tr", { class: "remark", role: "row" },
    make("td", { role: "cell", colspan: span }, make("p", {}, remark)));
}

function tableRow(row) {
  return make("tr", { role: "row", "data-key": row.key },
    make("th", {
      role: "rowheader",
      scope: "row",
      class: "number",
      "data-label": "row",
    }, row.label),
    ...page.columns.map((column, i) => make("td", {
      role: "cell",
      class: column.numeric ? "number" : null,
      "data-label": column.heading,
    }, row.texts[i] ?? "")),
    ...row.cells.map((cell, i) => make("td", {
      role: "cell",
      class: "picture",
      "data-label": page.pictures[i].heading,
    }, ...pictureCell(cell))));
}

function pictureCell(cell) {
  if (!cell.runs) return [make("p", { class: "why" }, cell.why)];
  const verdict = make("p", { class: "verdict" }, ...verdictOf(cell));
  const beside = cell.thumbs.length === 1 && !cell.thumbs[0].label;  // the checkbox, on its line
  const thumbs = cell.thumbs.map((thumb) => make("div", { class: "thumb" }, thumbnail(thumb),
    make("div", { class: "under" }, chooser(thumb.run), beside ? verdict : thumb.label)));
  const said = cell.notes.join("\n");
  const states = [...new Set(cell.thumbs.map((thumb) => runs.get(thumb.run).status))];
  const tell = states.filter((state) => state !== "done" && !said.includes(state));
  return [
    make("div", { class: "thumbs" }, ...thumbs),
    beside ? null : verdict,
    ...[...tell, ...cell.notes].map((note) => make("p", { class: "note" }, note)),
  ].filter(Boolean);
}

// `≈ FD (LeNet) 93.1 ± 4.2 (3)`, the best in bold.
function verdictOf(cell) {
  const text = [cell.text, ...marksOf(cell)].filter(Boolean).join(", ");
  if (cell.mark === "best") return [make("strong", {}, text, unseen(", best"))];
  return cell.mark === "tie" ? ["≈ ", text] : [text];
}

function thumbnail(thumb) {
  const run = runs.get(thumb.run);
  return make("button", {
    type: "button",
    class: "open",
    "data-run": thumb.run,
    "aria-label": [run.title, thumb.label, run.text || run.status].filter(Boolean).join(", "),
    onclick: () => openRun(thumb.run),
  }, thumb.src
    ? picture(thumb.src, "", { loading: LONG ? "lazy" : "eager", width: 112, height: 112 })
    : make("span", { class: "nothing" }, run.status === "done" ? "no picture" : run.status));
}
