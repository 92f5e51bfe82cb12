// This file holds the page's data and looks things up in it. docs/files.md says what the fields mean
// ("The data of the gallery"). The texts are not trusted: see elements.js.

const page = JSON.parse(document.getElementById("data").textContent);
const runs = new Map(Object.entries(page.runs));
const rows = page.tables.flatMap((table, index) =>
  table.rows.map((row) => Object.assign(row, { table: index })));
const rowOf = new Map(rows.map((row) => [row.key, row]));

// Both views show these rows: those that pass the filter, in the chosen order.
const shown = { rows, sorted: false };

function runsOf(row) {
  return row.cells.flatMap((cell) => cell.runs ?? []);
}

// Returns the ids of the runs of all rows shown, in order; of all rows if run `id` is not shown.
function orderAround(id) {
  const order = [...new Set(shown.rows.flatMap(runsOf))];
  return order.includes(id) ? order : [...new Set(rows.flatMap(runsOf))];
}

// Is distance `a` better than distance `b`? A missing one is worse than any.
function better(a, b, picture) {
  if (b === null || b === undefined) return a !== null && a !== undefined;
  if (a === null || a === undefined) return false;
  return picture.direction === "maximize" ? a > b : a < b;
}

// Returns the marks of the cell's runs that the cell's text does not contain.
function marksOf(cell) {
  const marks = (cell.thumbs ?? []).flatMap((thumb) => runs.get(thumb.run)?.marks ?? []);
  return [...new Set(marks)].filter((mark) => !(cell.text ?? "").includes(mark));
}

const details = new Map();
const requests = new Map();  // file → promise that the script has loaded
window.gansweepRun = (id, content) => details.set(id, content);

// Loads the details of a run. Resolves to null if the run has none or the file cannot be read.
async function detailsOf(id) {
  const file = runs.get(id).details;
  if (file && !requests.has(file)) {
    requests.set(file, new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = file;
      script.onload = resolve;
      script.onerror = resolve;
      document.head.append(script);
    }));
  }
  await requests.get(file);
  return details.get(id) ?? null;
}
