// The table has a row for each setting and can be sorted by any column. A long table is drawn in
// portions while it is scrolled. A short table is drawn at once with all its pictures, as a browser
// that prints does not wait for pictures that begin to load only then.

const LONG_TABLE = rows.length > 200;
const PORTION = LONG_TABLE ? 50 : rows.length;  // rows: some screens

const ARROWS = { none: "", ascending: "▲", descending: "▼" };

const table = { body: null, drawn: 0, end: make("div", { class: "end" }) };
const sorting = { column: null, descending: false };
const fields = [...page.columns, ...page.pictures];  // the sortable columns, in order

const observer = new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting)) drawMore();
}, { rootMargin: "1500px" });

// The roles are explicit because table elements that a phone shows as blocks lose theirs.
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
  byId("table-view").append(
    make("table", { role: "table", "aria-label": page.title },
      make("thead", { role: "rowgroup" }, head), table.body),
    make("p", { class: "none", hidden: true }, "No row passes the filter."),
    table.end,
  );
  byId("sort").append(make("option", { value: "" }, "original order"),
    ...fields.flatMap((field, i) => [
      make("option", { value: `${i} up` }, `${field.heading} ▲`),
      make("option", { value: `${i} down` }, `${field.heading} ▼`),
    ]));
  byId("sort").addEventListener("change", () => {
    const [column, direction] = byId("sort").value.split(" ");
    sortBy(column === "" ? null : Number(column), direction === "down");
  });
}

// Sorts ascending, then descending, then restores the original order.
function sortNext(column) {
  if (sorting.column !== column) sortBy(column, false);
  else if (!sorting.descending) sortBy(column, true);
  else sortBy(null, false);
}

function sortBy(column, descending) {
  Object.assign(sorting, { column, descending });
  byId("table-view").querySelectorAll("th[aria-sort]").forEach((head, index) => {
    const order = index !== column ? "none" : descending ? "descending" : "ascending";
    head.setAttribute("aria-sort", order);
    head.querySelector(".arrow").textContent = ARROWS[order];
  });
  byId("sort").value = column === null ? "" : `${column} ${descending ? "down" : "up"}`;
  update();
}

// Returns the rows sorted: numbers before texts; rows without a value are last in both directions.
function sorted(list) {
  if (sorting.column === null) return list;
  const picture = sorting.column - page.columns.length;
  const value = (row) =>
    (picture < 0 ? row.values[sorting.column] : row.cells[picture].value) ?? null;
  const rank = (v) => (v === null ? 2 : typeof v === "number" ? 0 : 1);
  const sign = sorting.descending ? -1 : 1;
  const collator = new Intl.Collator("en", { numeric: true });
  return list.map((row) => [value(row), row]).sort(([a], [b]) => {
    if (rank(a) === 2 || rank(b) === 2) return rank(a) - rank(b);
    if (rank(a) !== rank(b)) return sign * (rank(a) - rank(b));
    return sign * (rank(a) === 0 ? a - b : collator.compare(a, b));
  }).map(([, row]) => row);
}

function drawTable() {
  table.body.replaceChildren();
  table.drawn = 0;
  byId("table-view").querySelector(".none").hidden = shown.rows.length > 0;
  drawMore();
}

function drawMore(count = PORTION) {
  const fragment = document.createDocumentFragment();
  for (const row of shown.rows.slice(table.drawn, table.drawn + count)) {
    const before = shown.rows[table.drawn - 1];
    const remark = page.tables[row.table].remark;
    if (!shown.sorted && remark && before?.table !== row.table) fragment.append(remarkRow(remark));
    fragment.append(tableRow(row));
    table.drawn += 1;
  }
  table.body.append(fragment);
  // The observer reports changes only; observing anew reports an end that is still visible.
  observer.unobserve(table.end);
  if (table.drawn < shown.rows.length) observer.observe(table.end);
}

// Draws up to the row `key`. Returns its element, or undefined if the row is not shown.
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
  // The result may share a line with the checkbox.
  const beside = cell.thumbs.length === 1 && !cell.thumbs[0].label;
  const thumbs = cell.thumbs.map((thumb) => make("div", { class: "thumb" }, thumbnail(thumb),
    make("div", { class: "under" }, chooser(thumb.run), beside ? verdict : thumb.label)));
  const notes = cell.notes.join("\n");
  const statuses = [...new Set(cell.thumbs.map((thumb) => runs.get(thumb.run).status))];
  const unnamed = statuses.filter((status) => status !== "done" && !notes.includes(status));
  return [
    make("div", { class: "thumbs" }, ...thumbs),
    beside ? null : verdict,
    ...[...unnamed, ...cell.notes].map((note) => make("p", { class: "note" }, note)),
  ].filter(Boolean);
}

// Returns the result of a cell, such as `≈ FD (LeNet) 93.1 ± 4.2 (3)`; the best is bold.
function verdictOf(cell) {
  const text = [cell.text, ...marksOf(cell)].filter(Boolean).join(", ");
  if (cell.mark === "best") return [make("strong", {}, text, hiddenText(", best"))];
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
    ? picture(thumb.src, "", { loading: LONG_TABLE ? "lazy" : "eager", width: 112, height: 112 })
    : make("span", { class: "nothing" }, run.status === "done" ? "no picture" : run.status));
}
