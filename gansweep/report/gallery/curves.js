// This file draws losses and distances over the steps of training, and marks the best step and
// the step whose pictures are shown.

// The colours are those of Okabe and Ito's colour-blind safe palette that contrast with the
// background. Dashes distinguish the lines where there is no colour.
const COLOURS = {
  light: ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#000000", "#e69f00"],
  dark: ["#56b4e9", "#e69f00", "#009e73", "#cc79a7", "#f0e442", "#d55e00"],
};
const DASHES = [[], [8, 4], [2, 3], [10, 3, 2, 3], [5, 2], [14, 4]];
const HEIGHT = 190;

const colour = (index) => COLOURS[isDark() ? "dark" : "light"][index % DASHES.length];
const themed = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

// Draws `charts` = [{title, lines: [{label, index, x, y}], equilibria: [step]}]; `index` chooses the
// colour and dashes. Returns {mark, remove}: mark(steps) marks the steps whose pictures are shown.
function drawCurves(container, charts) {
  let steps = [];
  let plots = [];

  function remove() {
    plots.forEach((plot) => plot.destroy());
    plots = [];
    container.replaceChildren();
  }

  function draw() {
    remove();
    const last = charts.flatMap((chart) => chart.lines).flatMap((line) => line.x)
      .reduce((a, b) => Math.max(a, b), 1);  // all charts share the axis of steps
    for (const chart of charts) {
      const lines = chart.lines.filter((line) => line.y.filter((y) => y !== null).length > 1);
      if (!lines.length) continue;
      const frame = make("div", { class: "chart" });
      const title = make("h3", {}, chart.title + (steep(lines) ? " (log)" : ""));
      container.append(make("div", {}, title, frame));
      plots.push(plotOf(frame, { ...chart, lines, last }, () => steps));
    }
  }

  const resized = new ResizeObserver(() => plots.forEach((plot) => {
    const width = plot.root.parentElement.clientWidth;
    if (width && width !== plot.width) plot.setSize({ width, height: HEIGHT });
  }));
  draw();
  onTheme.add(draw);
  resized.observe(container);
  return {
    mark(shownSteps) {
      steps = shownSteps;
      plots.forEach((plot) => plot.redraw(false));
    },
    remove() {
      onTheme.delete(draw);
      resized.disconnect();
      remove();
    },
  };
}

// Do the lines fall so far that a linear axis would show their ends as flat?
function steep(lines) {
  const values = lines.flatMap((line) => line.y).filter((y) => y !== null);
  const low = values.reduce((a, b) => Math.min(a, b));
  return low > 0 && values.reduce((a, b) => Math.max(a, b)) > 30 * low;
}

function plotOf(frame, { title, lines, equilibria, last }, steps) {
  const axis = {
    stroke: themed("--text"),
    font: "12px system-ui, sans-serif",
    grid: { stroke: themed("--rule"), width: 1 },
    ticks: { stroke: themed("--rule"), width: 1, size: 4 },
  };
  const options = {
    width: frame.clientWidth || 320,
    height: HEIGHT,
    scales: { x: { time: false, range: [0, last] }, y: { distr: steep(lines) ? 3 : 1 } },
    axes: [{ ...axis, size: 28 }, { ...axis, size: 56 }],
    series: [
      { label: "step" },
      ...lines.map((line) => ({
        label: line.label,
        stroke: colour(line.index),
        dash: DASHES[line.index % DASHES.length],
        width: 1.5,
        spanGaps: true,  // lines may have values at different steps
        points: { show: line.x.length < 40, size: 4 },
        value: (_, value) => (value === null ? "–" : Number(value.toPrecision(4))),
      })),
    ],
    legend: { markers: { dash: (_, i) => (dashed(lines[i - 1]) ? "dashed" : "solid") } },
    cursor: { drag: { x: false, y: false } },
    hooks: { draw: [(plot) => drawMarks(plot, equilibria, steps())] },
  };
  const data = uPlot.join(lines.map((line) => [line.x, line.y]));
  const plot = new uPlot(options, data, frame);
  const canvas = plot.root.querySelector("canvas");
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", `${title}. ${lines.map(lineInWords).join("; ")}`);
  return plot;
}

const dashed = (line) => line && DASHES[line.index % DASHES.length].length > 0;

// Describes a line for screen readers.
function lineInWords({ label, x, y }) {
  const known = x.map((step, i) => [step, y[i]]).filter(([, value]) => value !== null);
  const [first, last] = [known[0], known.at(-1)];
  return `${label}: ${first[1].toPrecision(4)} at step ${first[0]}, `
    + `${last[1].toPrecision(4)} at step ${last[0]}`;
}

function drawMarks(plot, equilibria, steps) {
  const { left, top, width, height } = plot.bbox;
  const context = plot.ctx;
  const ratio = devicePixelRatio;
  const drawVertical = (step, stroke, dash) => {
    const x = Math.round(plot.valToPos(step, "x", true));
    if (x < left - 1 || x > left + width + 1) return null;
    context.strokeStyle = stroke;
    context.setLineDash(dash);
    context.beginPath();
    context.moveTo(x, top);
    context.lineTo(x, top + height);
    context.stroke();
    return x;
  };
  context.save();
  context.lineWidth = 1.5 * ratio;
  for (const step of new Set(equilibria)) {
    const x = drawVertical(step, themed("--muted"), [4 * ratio, 3 * ratio]);
    if (x === null || equilibria.length > 1) continue;
    const atRight = x > left + width * 0.75;
    context.fillStyle = themed("--muted");
    context.font = `${11 * ratio}px system-ui, sans-serif`;
    context.textAlign = atRight ? "right" : "left";
    context.textBaseline = "top";
    context.fillText("best", x + (atRight ? -4 : 4) * ratio, top + 2 * ratio);
  }
  for (const step of new Set(steps)) drawVertical(step, themed("--accent"), []);
  context.restore();
}
