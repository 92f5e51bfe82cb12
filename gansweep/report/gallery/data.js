// The page's data and what is looked up in it. docs/files.md says what its fields mean ("The data of
// the gallery"). None of its texts is trusted: see elements.js.

const page = JSON.parse(document.getElementById("data").textContent);
const runs = new Map(Object.entries(page.runs));
const rows = page.tables.flatMap((table, index) =>
  table.rows.map((row) => Object.assign(row, { table: index })));
const rowOf = new Map(rows.map((row) => [row.key, row]));

// What both views show: rows that pass the filter, in the order they are sorted in.
const shown = { rows, sorted: false };

function runsOf(row) {
  return row.cells.flatMap((cell) => cell.runs ?? []);
}

// The runs in the order of the rows shown; all of them where `id` is of a row that is not.
function orderAround(id) {
  const order = [...new Set(shown.rows.flatMap(runsOf))];
  return order.includes(id) ? order : [...new Set(rows.flatMap(runsOf))];
}

function better(one, other, picture) {
  if (other === null || other === undefined) return one !== null && one !== undefined;
  if (one === null || one === undefined) return false;
  return picture.direction === "maximize" ? one > other : one < other;
}

// Marks of the cell's runs that its text does not have yet.
function marksOf(cell) {
  const marks = (cell.thumbs ?? []).flatMap((thumb) => runs.get(thumb.run)?.marks ?? []);
  return [...new Set(marks)].filter((mark) => !(cell.text ?? "").includes(mark));
}

const details = new Map();
const asked = new Map();
window.gansweepRun = (id, found) => details.set(id, found);

// A promise of the run's details; null where there are none or their file cannot be read.
async function detailsOf(id) {
  const file = runs.get(id).details;
  if (file && !asked.has(file)) {
    asked.set(file, new Promise((resolve) => {
      const script = document.createElement("script");
      script.src = file;
      script.onload = resolve;
      script.onerror = resolve;
      document.head.append(script);
    }));
  }
  await asked.get(file);
  return details.get(id) ?? null;
}
