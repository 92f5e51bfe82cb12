// This file writes the labels under the pictures: rank, value and words. The legend explains them.

const arrowOf = (field) => (field.direction === "maximize" ? "↑" : "↓");

// Returns the meaning of a word that the legend has, or null.
function meaningOf(word) {
  return page.legend.find(([known]) => word === known || word.startsWith(`${known} `))?.[1] ?? null;
}

// Makes a word that explains itself when the pointer rests on it.
function explained(word, attributes = {}) {
  const meaning = meaningOf(word);
  return make("span", { class: meaning ? "explained" : null, title: meaning, ...attributes }, word);
}

// Returns the value of a cell as [label, value]: ["FD ↓", "93.1 ± 4.2 (3)"]; null without a value.
function valueInParts(text, field) {
  if (!text) return null;
  if (!field.metric || !text.startsWith(`${field.metric} `)) return ["", text];
  return [`${field.short} ${arrowOf(field)}`, text.slice(field.metric.length + 1)];
}

// Makes the value of a cell or of a run, such as `FD ↓ 93.1`.
function valueLabel(text, field) {
  const [label, value] = valueInParts(text, field);
  const known = page.legend.find(([, meaning]) => meaning.startsWith(`${field.metric}:`));
  const help = known?.[1] ?? [field.metric, field.better].filter(Boolean).join(", ");
  return make("span", { class: "value" },
    label ? make("span", { class: "explained metric", title: help }, label)
      : null, label ? " " : null, value);
}

// Makes the label of a cell: rank and value on one line, then the words.
function labelOf(cell, field) {
  const value = cell.text ? valueLabel(cell.text, field) : null;
  const marked = [
    cell.rank ? explained(`${cell.rank}.`, { class: "rank", title: meaningOf("1.") }) : null,
    cell.mark === "tie" ? explained("≈") : null,
    value,
  ].filter(Boolean).flatMap((part) => [part, " "]);
  const line = cell.mark === "best"
    ? make("strong", {}, ...marked, hiddenText("best")) : make("span", {}, ...marked);
  const eye = cell.eye
    ? make("p", { class: "words" }, `${cell.eye}. `, explained("by eye")) : null;
  return [
    value ? make("p", { class: "verdict" }, line, scaleOf(cell.value, field)) : null,
    eye,
    ...paragraphsOf(cell.words ?? []),
  ].filter(Boolean);
}

// Returns the settings of a row that have an effect, such as `lr 0.001, beta1 0.5`.
function settingsInWords(row) {
  return page.columns.map(({ name, setting }, i) => [name, row.texts[i], setting])
    .filter(([, text, setting]) => setting && text !== "n/a").map(([name, text]) => [name, text])
    .map((setting) => setting.join(" ")).join(", ");
}

const COURSE = /^(best at .*|was still improving|plateau|worse afterwards|step .*|.* so far|\(.*)$/;

// Returns the words that name faults, without the best step, the course and second opinions.
function faultsIn(words) {
  return words.filter((word) => !COURSE.test(word));
}

// Makes two paragraphs of words: of the course of a run, and of its faults.
function paragraphsOf(words) {
  const faults = faultsIn(words);
  const course = words.filter((word) => !faults.includes(word));
  return [["course", course], ["faults", faults]].filter(([, list]) => list.length)
    .map(([kind, list]) => make("p", { class: `words ${kind}` }, ...wordsOf(list)));
}

function wordsOf(words) {
  return words.flatMap((word, i) => [i ? ", " : null, explained(word)]).filter(Boolean);
}

// Makes a bar that shows where a value lies on a logarithmic scale between an untrained generator
// (empty) and real images (full), or the best of its column if the value of these is not known.
function scaleOf(value, field) {
  const real = field.real_value > 0;
  const best = real ? field.real_value : bestValue(field);
  if (field.direction === "maximize" || !(field.untrained > best) || !(value > 0)) return null;
  const share = Math.log(field.untrained / value) / Math.log(field.untrained / best);
  const bar = make("span", { class: "scale", "aria-hidden": "true",
    title: `full: ${real ? `real images, ${brief(best)}` : "the best of all rows"}; `
      + `empty: an untrained generator, ${brief(field.untrained)}` });
  bar.style.setProperty("--share", Math.min(1, Math.max(0, share)));
  return bar;
}

const bestValues = new Map();

function bestValue(field) {
  if (!bestValues.has(field)) {
    const place = page.pictures.indexOf(field);
    const values = rows.map((row) => row.cells[place].value).filter((value) => value > 0);
    bestValues.set(field, values.reduce((a, b) => Math.min(a, b), Infinity));
  }
  return bestValues.get(field);
}

function buildLegend() {
  byId("legend").hidden = !page.legend.length;
  const scales = page.pictures.filter((field) => knownValues(field).length).map((field) =>
    [`${field.heading}:`, `${knownValues(field, ` ${field.short}`).join("; ")}`]);
  byId("legend-list").replaceChildren(...[...page.legend, ...scales].map(([word, meaning]) =>
    make("div", {}, make("dt", {}, word), make("dd", {}, meaning))));
}

// Returns what is known of the scale of a metric: the values of noise and of real images.
function knownValues({ untrained, real_value: real, real_n: count }, name = "") {
  const images = name && count ? `${count.toLocaleString("en")} training images in their place`
    : "real images";
  return [
    missing(untrained) ? null : `an untrained generator has${name} ${brief(untrained)}`,
    missing(real) ? null : `${images} have${name} ${brief(real)}`,
  ].filter(Boolean);
}

// Shows the best row of each picture column, with its command, before all rows.
function buildBest() {
  byId("best").replaceChildren(...page.best.map(bestOf), ...foundBySearch());
}

function bestOf({ picture: place, row: key, run: id, command: text }) {
  const row = rowOf.get(key);
  const cell = row.cells[place];
  const field = page.pictures[place];
  const thumb = cell.thumbs.find(({ run }) => run === id) ?? cell.thumbs[0];
  const judged = rows.filter(({ cells }) => cells[place].text).length;
  const parts = valueInParts(cell.text, field);
  const scale = knownValues(field).map((text) => `; ${text}`);
  const title = `Best${page.pictures.length > 1 ? ` ${field.heading}` : ""}: row ${row.label}, `;
  return make("article", {}, thumbnail(thumb),
    make("div", {},
      make("h2", {}, title, `${field.metric && parts[0] ? field.short : ""} ${parts[1]}`),
      folded("Settings and command",
        make("p", {}, `${judged === 1 ? "The only result" : `The first of ${judged}`}`,
          field.better ? `, ${field.better}` : "", ...scale, "."),
        ...paragraphsOf(cell.words),
        make("p", { class: "settings-line" }, settingsInWords(row)),
        text ? command(text) : null)));
}

const onPhone = matchMedia("(max-width: 700px)");

onPhone.addEventListener("change", () => {
  for (const part of document.querySelectorAll(".folded")) part.open = !onPhone.matches;
});

// Makes a part that a phone folds away, so that the pictures of the rows are on the first screen. A
// wider page shows it, and does not show its summary.
function folded(summary, ...children) {
  return make("details", { class: "folded", open: !onPhone.matches },
    make("summary", {}, summary), ...children);
}

// Shows what a search has found, which is the best by its own objective.
function foundBySearch() {
  const same = page.best.some(({ command: text }) => text === page.found.at(-1));
  if (!page.found.length || same) return [];
  const sentences = page.found.slice(0, -1).map((text) => make("p", {}, text));
  return [make("article", {}, make("div", {}, make("h2", {}, "Best of the search"), ...sentences,
    folded("Command", command(page.found.at(-1)))))];
}
