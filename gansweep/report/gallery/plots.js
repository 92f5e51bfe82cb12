// The plots of the page: parallel coordinates, the value by each parameter, the value over training
// of all rows, and the drawings that the report has as files. A line or a dot opens its run.

const MAX_AXES = 10;  // of the parallel coordinates
const MAX_CURVES = 200;
const SVG = "http://www.w3.org/2000/svg";
const EDGES = { left: 52, right: 12, top: 12, bottom: 30 };
const SMALL = { width: 340, height: 230, ...EDGES };
const WIDE = { width: 760, height: 300, ...EDGES };

function svg(tag, attributes = {}, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name.startsWith("--")) element.style.setProperty(name, value);
    else if (!missing(value)) element.setAttribute(name, value);
  }
  element.append(...children.filter((child) => child !== null));
  return element;
}

const svgText = (content, x, y, attributes = {}) => svg("text", { x, y, ...attributes }, content);

// Returns {at: value → 0…1, ticks: [share, text]} for numbers, logarithmic if they are far apart.
function numberScale(values) {
  const known = values.filter((value) => typeof value === "number");
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const log = low > 0 && high > 20 * low;
  const of = log ? Math.log10 : (value) => value;
  const range = of(high) - of(low) || 1;
  const at = (value) => (missing(value) ? null : (of(value) - of(low)) / range);
  const distinct = [...new Set(known)].sort((a, b) => a - b);
  const count = 5;
  const even = [...Array(count).keys()].map((i) => of(low) + (range * i) / (count - 1))
    .map((value) => (log ? 10 ** value : value));
  const ticks = high === low ? [low] : distinct.length <= count ? distinct : even;
  return { at, ticks: ticks.map((value) => [at(value), tickText(value)]) };
}

function tickText(value) {
  const short = Number(value.toPrecision(3));
  return short !== 0 && Math.abs(short) < 0.001 ? Number(value.toPrecision(2)).toExponential()
    : String(short);
}

function columnScale(column, index) {
  if (column.numeric) return { ...numberScale(rows.map((row) => row.values[index])), index };
  const values = axisValues(index);
  const last = Math.max(1, values.length - 1);
  const at = (_, row) => values.indexOf(row.texts[index]) / last;
  return { at, index, ticks: values.map((value, i) => [i / last, value]) };
}

// Returns the attributes of a row's line or dot: the better, the darker; a dead one is dashed.
function looksOf(row, place, judged) {
  const cell = row.cells[place];
  const rank = cell.rank ? (cell.rank - 1) / Math.max(1, judged - 1) : 1;
  const name = [`row ${row.label}`, cell.text, ...(cell.words ?? []),
    settingsInWords(row)].join(", ");
  return {
    class: `row${cell.rank ? "" : " dead"}${cell.mark === "best" ? " leader" : ""}`,
    "--rank": rank,
    name,
    onclick: () => openRun(cell.runs[0]),
  };
}

function drawPlots() {
  const sections = page.pictures.flatMap((field, i) => plotsOf(field, i));
  const files = page.plots.map(([alt, src]) => make("figure", { class: "drawing" },
    page.files ? picture(src, alt)
      : make("a", { href: src, target: "_blank" }, picture(src, alt, { loading: "lazy" })),
    make("figcaption", {}, alt)));
  const hint = page.plots.length ? null : make("p", { class: "note" },
    `python -m gansweep report ${page.name} --plots adds maps, curves and strips over training.`);
  byId("plots-view").replaceChildren(...sections, ...files, ...(hint ? [hint] : []));
  if (!sections.length && !page.plots.length) {
    byId("plots-view").prepend(make("p", { class: "none" }, "Plots need two rows with a value."));
  }
}

function plotsOf(field, place) {
  // The best are drawn last, upon the others.
  const judged = bestFirst(shown.rows, place).reverse()
    .filter((row) => !missing(row.cells[place].value));
  if (judged.length < 2) return [];
  const varying = page.columns.map((column, index) => [column, index])
    .filter(([{ setting }, index]) => setting && new Set(judged.map((row) => row.texts[index])).size > 1);
  const values = numberScale(judged.map((row) => row.cells[place].value));
  const value = { ...values, title: field.short || field.heading,
    at: (row) => values.at(row.cells[place].value) };
  const curves = make("div", { class: "plot wide" });
  if (judged.length <= MAX_CURVES) drawCurvesOfAll(curves, judged, field, place);
  return [make("section", { class: "plots" },
    make("h2", {}, page.pictures.length > 1 ? field.heading : field.short || field.heading),
    make("p", { class: "note" }, `Dark lines and dots are the best rows, dashed ones have no rank. `
      + `${field.metric}${field.better ? `, ${field.better}` : ""}. Click one to open its run.`),
    varying.length > 1 ? parallel(judged, varying.slice(0, MAX_AXES), value, place) : null,
    make("div", { class: "small-plots" }, ...varying.map(([column, index]) =>
      byParameter(judged, column, columnScale(column, index), value, place))),
    curves)];
}

function titled(element, name) {
  element.append(svg("title", {}, name));
  return element;
}

// Draws a line for each row through its parameters and its value.
function parallel(judged, varying, value, place) {
  const scales = [...varying.map(([column, index]) => {
    const scale = columnScale(column, index);
    return { title: column.name, ticks: scale.ticks, at: (row) => scale.at(row.values[index], row) };
  }), value];
  const [width, height, left, top, bottom] = [120 * scales.length, 300, 40, 26, 12];
  const x = (i) => left + (i * (width - 2 * left)) / Math.max(1, scales.length - 1);
  const y = (share) => top + (1 - share) * (height - top - bottom);
  const lines = judged.map((row) => {
    const points = scales.map((scale, i) => [x(i), scale.at(row)])
      .filter(([, share]) => share !== null).map(([px, share]) => `${px},${y(share)}`).join(" ");
    const { name, ...looks } = looksOf(row, place, judged.length);
    return titled(svg("polyline", { points, ...looks }), name);
  });
  const marks = scales.flatMap((scale, i) => [
    svg("line", { x1: x(i), x2: x(i), y1: y(0), y2: y(1), class: "axis" }),
    svgText(scale.title, x(i), 12, { "text-anchor": "middle", class: "title" }),
    ...scale.ticks.map(([share, label]) =>
      svgText(label, x(i) + 4, y(share) - 3, { class: "tick-text" })),
  ]);
  return make("div", { class: "plot wide" }, svg("svg", {
    viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": "parallel coordinates",
  }, ...lines, ...marks));
}

function frame({ width, height, left, right, top, bottom }, title, xTicks, yTicks, name) {
  const x = (share) => left + 8 + share * (width - left - right - 16);
  const y = (share) => height - bottom - 6 - share * (height - top - bottom - 12);
  const element = svg("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": name },
    svg("line", { x1: left, x2: width - right, y1: height - bottom, y2: height - bottom, class: "axis" }),
    svg("line", { x1: left, x2: left, y1: top, y2: height - bottom, class: "axis" }),
    svgText(title, (left + width) / 2, height - 3, { "text-anchor": "middle", class: "title" }),
    ...xTicks.map(([share, label]) =>
      svgText(label, x(share), height - bottom + 13, { "text-anchor": "middle", class: "tick-text" })),
    ...yTicks.map(([share, label]) =>
      svgText(label, left - 5, y(share) + 4, { "text-anchor": "end", class: "tick-text" })));
  return { element, x, y };
}

// Draws a dot for each row: its value over one parameter.
function byParameter(judged, column, scale, value, place) {
  const { element, x, y } = frame(SMALL, column.name, scale.ticks, value.ticks,
    `${value.title} by ${column.name}`);
  element.append(...judged.map((row) => {
    const share = scale.at(row.values[scale.index], row);
    if (share === null) return null;
    const { name, ...looks } = looksOf(row, place, judged.length);
    return titled(svg("circle", { cx: x(share), cy: y(value.at(row)), r: 4, ...looks }), name);
  }).filter(Boolean));
  return make("div", { class: "plot" }, element);
}

// Draws the value over the steps of training, a line for each row.
async function drawCurvesOfAll(container, judged, field, place) {
  const found = await Promise.all(judged.map(async (row) => {
    const about = await detailsOf(row.cells[place].runs[0]);
    return [row, about?.series.find(({ group }) => group === "distance")];
  }));
  const known = found.filter(([, series]) => series);
  if (known.length < 2) return;
  const steps = numberScale(known.flatMap(([, { x }]) => [0, ...x]));
  const values = numberScale(known.flatMap(([, { y }]) => y).filter((v) => !missing(v)));
  const { element, x, y } = frame(WIDE, "step", steps.ticks, values.ticks,
    "value over training");
  element.append(...known.map(([row, series]) => {
    const points = series.x.map((step, i) => [steps.at(step), values.at(series.y[i])])
      .filter(([, share]) => share !== null).map(([a, b]) => `${x(a)},${y(b)}`).join(" ");
    const { name, ...looks } = looksOf(row, place, judged.length);
    return titled(svg("polyline", { points, ...looks }), name);
  }));
  container.append(make("h3", {}, `${known[0][1].name} over training`), element);
}
