// The table has a row for each setting and can be sorted by any column. A long table is drawn in
// portions while it is scrolled. A short table is drawn at once with all its pictures, as a browser
// that prints does not wait for pictures that begin to load only then.

const LONG_TABLE = rows.length > 200;
const PORTION = LONG_TABLE ? 50 : Infinity;  // rows: some screens

const table = { body: null, drawn: 0, end: make("div", { class: "end" }) };

const observer = new IntersectionObserver((entries) => {
  if (entries.some((entry) => entry.isIntersecting)) drawMore();
}, { rootMargin: "1500px" });

// The roles are explicit because table elements that a phone shows as blocks lose theirs.
function buildTable() {
  const head = make("tr", { role: "row" },
    make("th", { role: "columnheader", class: "number" }, "row"),
    ...fields.map((field) => make("th", {
      role: "columnheader",
      scope: "col",
      class: field.numeric ? "number" : field.direction ? "picture" : null,
      "aria-sort": "none",
      "data-key": field.key,
      title: field.name && field.name !== field.heading ? field.heading : null,
    }, make("button", { type: "button", onclick: () => sortNext(field) },
      field.title, make("span", { class: "arrow", "aria-hidden": "true" })))));
  table.body = make("tbody", { role: "rowgroup" });
  byId("table-view").append(
    make("table", { role: "table", "aria-label": page.title },
      make("thead", { role: "rowgroup" }, head), table.body),
    table.end,
  );
}

function drawTable() {
  table.body.replaceChildren();
  table.drawn = 0;
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
      class: [column.numeric ? "number" : "", row.texts[i] === "n/a" ? "no-effect" : ""]
        .filter(Boolean).join(" ") || null,
      "data-label": column.name,
    }, row.texts[i] ?? "")),
    ...row.cells.map((cell, i) => make("td", {
      role: "cell",
      class: "picture",
    }, ...pictureCell(cell, page.pictures[i]))));
}

function pictureCell(cell, field) {
  if (!cell.runs) return [make("p", { class: "why" }, cell.why)];
  const notes = cell.notes.join("\n");
  const statuses = [...new Set(cell.thumbs.map((thumb) => runs.get(thumb.run).status))];
  const unnamed = statuses.filter((status) => status !== "done" && !notes.includes(status));
  // The checkbox of a single picture stands beside it, before the label.
  const single = cell.thumbs.length === 1;
  const thumbs = cell.thumbs.map((thumb) => make("div", { class: "thumb" }, thumbnail(thumb),
    single && !thumb.label ? null
      : make("label", { class: "under" }, chooser(thumb.run), thumb.label)));
  return [make("div", { class: "cell" },
    make("div", { class: "thumbs" }, ...thumbs),
    make("div", { class: "about" },
      page.pictures.length > 1 ? make("p", { class: "column-name" }, field.heading) : null,
      ...labelOf(cell, field),
      ...[...unnamed, ...cell.notes].map((note) => make("p", { class: "note" }, note)),
      single && !cell.thumbs[0].label
        ? make("label", { class: "under" }, chooser(cell.thumbs[0].run), make("span", {}, "compare")) : null))];
}

function thumbnail(thumb) {
  const run = runs.get(thumb.run);
  const label = [run.title, thumb.label, run.text || run.status].filter(Boolean).join(", ");
  const bar = missing(run.progress) ? null : make("span", { class: "progress" });
  bar?.style.setProperty("--share", run.progress);
  return make("button", {
    type: "button",
    class: "open",
    "data-run": thumb.run,
    "data-src": thumb.src,
    "aria-label": label,
    title: label,
    onclick: () => openRun(thumb.run),
  }, thumb.src
    ? picture(sourceFor(thumb), "", { loading: LONG_TABLE ? "lazy" : "eager" })
    : make("span", { class: "nothing" }, run.status === "done" ? "no picture" : run.status), bar);
}
