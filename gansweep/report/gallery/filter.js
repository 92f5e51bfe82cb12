// This file parses the filter. All its words must occur in a row's texts, and all its comparisons,
// such as lr<1e-3, gen=1,3 or "beta 1">=0.5, must hold.

const NAME = /("[^"]*"|[^\s"<>=!]+)/.source;
const OPERATOR = /(<=|>=|!=|=|<|>)/.source;
const VALUE = /((?:"[^"]*"|[^\s"])*)/.source;
const WORDS = /"([^"]*)"?|(\S+)/.source;  // a quoted phrase or a word
const TERM = new RegExp(`\\s*(?:${NAME}\\s*${OPERATOR}\\s*${VALUE}|${WORDS})`, "y");

const COMPARE = {
  "<": (a, b) => a < b,
  "<=": (a, b) => a <= b,
  ">": (a, b) => a > b,
  ">=": (a, b) => a >= b,
};

const plain = (name) => name.toLowerCase().replace(/[\s_()-]+/g, "");
const quoted = (name) => (/[\s<>=!]/.test(name) ? `"${name}"` : name);
const number = (text) => (text.trim() === "" || Number.isNaN(Number(text)) ? null : Number(text));

// Returns {test: row → boolean}, or {error: a text that says what is wrong and what is valid}.
function parseFilter(text) {
  const tests = [];
  TERM.lastIndex = 0;
  const line = text.trim();
  while (TERM.lastIndex < line.length) {
    const [, name, operator, value, words, word] = TERM.exec(line);
    if (operator) {
      const { test, error } = parseComparison(name.replaceAll('"', ""), operator, value);
      if (error) return { error };
      tests.push(test);
    } else {
      const wanted = (words ?? word).toLowerCase();
      tests.push((row) => textsOf(row).includes(wanted));
    }
  }
  return { test: (row) => tests.every((test) => test(row)) };
}

// Returns {test} or {error}, as `parseFilter` does.
function parseComparison(name, operator, value) {
  const read = readerOf(name);
  if (!read) return { error: `No column ${quoted(name)}. Valid: ${validNames().join(", ")}.` };
  const wanted = (value.match(/("[^"]*"|[^,"])+/g) ?? [])
    .map((part) => part.replaceAll('"', "").trim().toLowerCase());
  if (!wanted.length) return { error: `${quoted(name)}${operator} needs a value.` };
  if (!(operator in COMPARE)) {
    const equal = (row) => read(row).some((pair) => wanted.some((text) => equals(pair, text)));
    return { test: operator === "=" ? equal : (row) => !equal(row) };
  }
  const bound = number(wanted[0]);
  if (bound === null || wanted.length > 1) {
    return { error: `${quoted(name)}${operator} needs one number, not ${value}.` };
  }
  const holds = COMPARE[operator];
  return { test: (row) => read(row).some(([v]) => typeof v === "number" && holds(v, bound)) };
}

function equals([value, text], wanted) {
  if (typeof value === "number" && number(wanted) === value) return true;
  return [value, text].some((form) => String(form ?? "").toLowerCase() === wanted);
}

// Returns a function row → [[value, text]] that reads the column `name`, or else all pictures with
// this heading or metric; null if there is none.
function readerOf(name) {
  const key = plain(name);
  const named = (label) => label && plain(label) === key;
  const column = page.columns.findIndex((c) => named(c.name) || named(c.heading));
  if (column >= 0) return (row) => [[row.values[column], row.texts[column]]];
  const measured = page.pictures.flatMap((picture, index) =>
    (named(picture.metric) || named(picture.heading) ? [index] : []));
  if (!measured.length) return null;
  return (row) => measured.map((i) => [row.cells[i].value, row.cells[i].text ?? row.cells[i].why]);
}

function validNames() {
  const metrics = page.pictures.map((picture) => picture.metric).filter(Boolean);
  const headings = page.pictures.map((picture) => picture.heading);
  const names = [...page.columns.map((column) => column.name), ...metrics, ...headings];
  return [...new Set(names)].map(quoted);
}

const texts = new Map();

// Returns all texts of a row, in lower case.
function textsOf(row) {
  if (!texts.has(row.key)) {
    const cellTexts = row.cells.flatMap((cell) => [
      cell.why, cell.text, ...(cell.notes ?? []),
      ...(cell.runs ?? []).flatMap((id) => [runs.get(id).status, runs.get(id).note]),
    ]);
    texts.set(row.key, [row.label, ...row.texts, ...cellTexts].join("\n").toLowerCase());
  }
  return texts.get(row.key);
}
