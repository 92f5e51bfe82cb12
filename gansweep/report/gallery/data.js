// This file holds the page's data and looks things up in it. docs/files.md says what the fields mean
// ("The data of the gallery"). The texts are not trusted: see elements.js.

const page = {};
const runs = new Map();
const rows = [];
const rowOf = new Map();

// Takes the data of the page; a page that is live takes newer data of the same sweep later.
function takeData(next) {
  for (const name of Object.keys(page)) delete page[name];
  Object.assign(page, next);
  for (const collection of [runs, rowOf]) collection.clear();
  for (const [id, run] of Object.entries(page.runs)) runs.set(id, run);
  rows.length = 0;
  page.tables.forEach((table, index) => {
    for (const row of table.rows) rows.push(Object.assign(row, { table: index }));
  });
  for (const row of rows) rowOf.set(row.key, row);
}

takeData(JSON.parse(document.getElementById("data").textContent));

// All views show these rows: those that pass the filter, in the chosen order.
const shown = { rows, sorted: false };

function runsOf(row) {
  return row.cells.flatMap((cell) => cell.runs ?? []);
}

// Returns the ids of the runs in the picture column of run `id`, in the order of the rows shown; of
// all rows if the run is not shown.
function orderAround(id) {
  const place = runs.get(id).picture;
  const inColumn = (list) => [...new Set(list.flatMap((row) => row.cells[place].runs ?? []))];
  const order = inColumn(shown.rows);
  return order.includes(id) ? order : inColumn(rows);
}

// Is distance `a` better than distance `b`? A missing one is worse than any.
function better(a, b, picture) {
  if (b === null || b === undefined) return a !== null && a !== undefined;
  if (a === null || a === undefined) return false;
  return picture.direction === "maximize" ? a > b : a < b;
}

// Returns the address of a picture. A page in one single file holds the pictures itself.
function addressOf(src) {
  const place = page.files?.[src];
  return place === undefined ? src : page.blobs[place];
}

const details = new Map();
const requests = new Map();  // file → promise that the script has loaded
window.gansweepRun = (id, content) => details.set(id, content);

// Loads the details of a run. Resolves to null if the run has none or the file cannot be read.
async function detailsOf(id) {
  if (page.details?.[id]) return page.details[id];
  if ("live" in page) {
    const answer = await fetch(`/details?run=${encodeURIComponent(id)}`).catch(() => null);
    return answer?.ok ? answer.json() : null;
  }
  const file = runs.get(id).details;
  if (file) await loaded(file);
  return details.get(id) ?? null;
}

// Resolves when a script beside the page has run, or cannot be read.
function loaded(file) {
  if (!requests.has(file)) {
    requests.set(file, new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = file;
      script.onload = resolve;
      script.onerror = resolve;
      document.head.append(script);
    }));
  }
  return requests.get(file);
}
