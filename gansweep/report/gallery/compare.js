// The comparison shows up to six runs side by side, their differing settings and their curves.

const MAX_COMPARED = 6;  // runs: each needs a colour of its own
const chosen = new Set();
const comparison = { ids: [], curves: null, player: null, opener: null };

function buildComparison() {
  comparison.player = player(byId("comparison-time"), showShare);
  prepareDialog(byId("comparison"), comparison.player);
  byId("compare").addEventListener("click", compare);
  byId("choose-none").addEventListener("click", () => {
    chosen.clear();
    showChosen("");
    byId("filter").focus({ preventScroll: true });
  });
  byId("comparison").addEventListener("close", () => {
    comparison.curves?.remove();
    comparison.curves = null;
  });
  addEventListener("resize", fitComparison);
}

function chooser(id) {
  return make("input", {
    type: "checkbox",
    class: "choose",
    "data-choose": id,
    checked: chosen.has(id),
    "aria-label": `compare ${runs.get(id).title}`,
    title: "compare",
    onchange: ({ target }) => choose(id, target),
  });
}

function choose(id, box) {
  const full = box.checked && chosen.size >= MAX_COMPARED;
  if (box.checked && !full) chosen.add(id);
  else chosen.delete(id);
  showChosen(full ? `At most ${MAX_COMPARED} runs can be compared. ` : "");
}

function showChosen(warning) {
  for (const box of document.querySelectorAll("[data-choose]")) {
    box.checked = chosen.has(box.dataset.choose);
  }
  byId("viewer-choose").checked = chosen.has(viewer.id);
  byId("chosen").hidden = chosen.size === 0;
  byId("chosen-text").textContent = warning
    + (chosen.size === 1 ? "1 run chosen; choose another to compare"
      : `${chosen.size} runs chosen`);
  byId("compare").textContent = `Compare ${chosen.size} runs`;
  byId("compare").hidden = chosen.size < 2;
}

async function compare() {
  const order = [...new Set(rows.flatMap(runsOf))];
  const ids = [...chosen].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  comparison.ids = ids;
  byId("comparison-title").textContent = `${ids.length} runs compared`;
  byId("comparison-runs").replaceChildren(...ids.map(comparedRun));
  byId("comparison-settings").replaceChildren();
  startSwipe(ids);
  byId("comparison").showModal();
  byId("comparison-title").focus();
  const steps = longestRun().steps.length;
  comparison.player.start(steps, steps - 1);
  const details = await Promise.all(ids.map(detailsOf));
  if (!byId("comparison").open || comparison.ids !== ids) return;
  showSettings(details);
  comparison.curves = drawCurves(byId("comparison-curves"), overlaid(details));
  showShare(Number(comparison.player.slider.value));
}

function comparedRun(id, index) {
  const run = runs.get(id);
  return make("article", {},
    make("h3", {}, lineSample(index), " ", run.title),
    make("figure", {}),
    make("p", { class: "step" }),
    lead(run),
    run.note ? make("p", { class: "note" }, run.note) : null);
}

// Draws a line with the colour and the dashes of a run's curves.
function lineSample(index) {
  const canvas = make("canvas", { class: "line", width: 56, height: 12, "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  context.strokeStyle = colour(index);
  context.lineWidth = 4;
  context.setLineDash(DASHES[index].map((length) => 1.5 * length));
  context.moveTo(0, 6);
  context.lineTo(56, 6);
  context.stroke();
  return canvas;
}

// Returns the run with the most pictures. The slider's positions are the steps of this run.
function longestRun() {
  return comparison.ids.map((id) => runs.get(id))
    .reduce((a, b) => (b.steps.length > a.steps.length ? b : a));
}

// Shows every run at the same share of its own training, as runs may differ in length.
function showShare(position) {
  const { steps: positions } = longestRun();
  const share = positions.length ? positions[position][0] / positions.at(-1)[0] : 1;
  const steps = comparison.ids.map((id, index) => {
    const run = runs.get(id);
    const article = byId("comparison-runs").children[index];
    const wanted = share * (run.steps.at(-1)?.[0] ?? 0);
    const gaps = run.steps.map(([step]) => Math.abs(step - wanted));
    const [step, src] = run.steps[gaps.indexOf(Math.min(...gaps))] ?? [null, run.full];
    showCompared(article, run, src);
    showSwiped(index, run, src);
    article.querySelector(".step").textContent = step === null ? "" : `step ${step}`;
    return step;
  });
  const text = `${Math.round(100 * share)} % of training`;
  byId("comparison-time").querySelector("output").textContent = text;
  comparison.player.slider.setAttribute("aria-valuetext", text);
  comparison.curves?.mark(steps.filter((step) => step !== null));
}

function showCompared(article, run, src) {
  const figure = article.querySelector("figure");
  const old = figure.querySelector("img");
  if (!src) {
    const text = run.status === "done" ? "no picture" : run.status;
    figure.replaceChildren(make("span", { class: "nothing" }, text));
    return;
  }
  if (old?.dataset.src === src) return;
  const image = picture(src, `generated images, ${run.title}`);
  image.addEventListener("load", fitComparison);
  if (old) Object.assign(image, { width: old.width, height: old.height });
  figure.replaceChildren(image);
}

function fitComparison() {
  if (!byId("comparison").open) return;
  for (const image of byId("comparison-runs").querySelectorAll("img")) {
    fit(image, image.closest("figure").clientWidth, Math.max(224, innerHeight * 0.45));
  }
  fitSwipe();
}

// Returns [label, one text a run] for all settings of the runs; a text is null if it is unknown.
function settingsOf(details) {
  const lists = comparison.ids.map((id, i) => {
    const run = runs.get(id);
    const row = rowOf.get(run.row);
    const params = details[i]?.params
      ?? page.columns.map(({ heading }, c) => [heading, row.texts[c] ?? ""]);
    return new Map([["seed", String(run.seed)], ["picture", page.pictures[run.picture].heading],
      ...params]);
  });
  const labels = [...new Set(lists.flatMap((list) => [...list.keys()]))];
  const missing = details.map((detail) => (detail ? "–" : null));
  return labels.map((label) => [label, lists.map((list, i) => list.get(label) ?? missing[i])]);
}

function showSettings(details) {
  const all = settingsOf(details);
  const known = (texts) => texts.filter((text) => text !== null);
  const differs = ([, texts]) => new Set(known(texts)).size > 1;
  const differing = all.filter(differs);
  const equal = all.filter((setting) => !differs(setting));
  const head = make("tr", {}, make("td"), ...comparison.ids.map((id, index) =>
    make("th", { scope: "col" }, lineSample(index), hiddenText(runs.get(id).title))));
  const lines = differing.map(([label, texts]) => make("tr", {},
    make("th", { scope: "row" }, label),
    ...texts.map((text) => make("td", {}, text ?? "unknown"))));
  byId("comparison-settings").replaceChildren(
    differing.length
      ? make("table", { class: "settings" }, make("caption", {}, "What differs"),
        make("thead", {}, head), make("tbody", {}, ...lines))
      : make("p", {}, "The settings of these runs are equal."),
    make("details", {},
      make("summary", {}, `${equal.length} settings are equal`),
      pairs(equal.map(([label, texts]) => [label, known(texts)[0]]))),
  );
}

// Returns one chart a series name, with one line a run.
function overlaid(details) {
  const all = details.flatMap((detail, index) => (detail?.series ?? []).map((series) =>
    ({ ...series, index, run: runs.get(comparison.ids[index]) })));
  const names = [...new Set(all.map((series) => series.name))];
  const equilibria = comparison.ids.map((id) => runs.get(id).equilibrium)
    .filter((step) => step !== null);
  return names.map((name) => ({
    title: name,
    lines: all.filter((series) => series.name === name)
      .map(({ run, index, x, y }) => ({ label: run.title, index, x, y })),
    equilibria,
  }));
}
