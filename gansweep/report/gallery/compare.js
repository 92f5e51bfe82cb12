// Comparing: up to six runs side by side, what their settings differ in, their curves overlaid.

const MOST_RUNS = 6;  // as many as there are colours to tell lines apart
const chosen = new Set();
const comparison = { ids: [], curves: null, player: null, opener: null };

function buildComparison() {
  comparison.player = player(at("comparison-time"), showShare);
  prepareDialog(at("comparison"), comparison.player);
  at("compare").addEventListener("click", compare);
  at("choose-none").addEventListener("click", () => {
    chosen.clear();
    showChosen("");
    at("filter").focus({ preventScroll: true });
  });
  at("comparison").addEventListener("close", () => {
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
  const full = box.checked && chosen.size >= MOST_RUNS;
  if (box.checked && !full) chosen.add(id);
  else chosen.delete(id);
  showChosen(full ? `${MOST_RUNS} runs at most. ` : "");
}

function showChosen(warning) {
  for (const box of document.querySelectorAll("[data-choose]")) {
    box.checked = chosen.has(box.dataset.choose);
  }
  at("viewer-choose").checked = chosen.has(viewer.id);
  at("chosen").hidden = chosen.size === 0;
  at("chosen-text").textContent = warning
    + (chosen.size === 1 ? "1 run chosen, choose another" : `${chosen.size} runs chosen`);
  at("compare").textContent = `Compare ${chosen.size} runs`;
  at("compare").hidden = chosen.size < 2;
}

async function compare() {
  const order = [...new Set(rows.flatMap(runsOf))];
  const ids = [...chosen].sort((a, b) => order.indexOf(a) - order.indexOf(b));
  comparison.ids = ids;
  at("comparison-title").textContent = `${ids.length} runs compared`;
  at("comparison-runs").replaceChildren(...ids.map(comparedRun));
  at("comparison-settings").replaceChildren();
  at("comparison").showModal();
  at("comparison-title").focus();
  const steps = longest().steps.length;
  comparison.player.start(steps, steps - 1);
  const details = await Promise.all(ids.map(detailsOf));
  if (!at("comparison").open || comparison.ids !== ids) return;
  showSettings(details);
  comparison.curves = drawCurves(at("comparison-curves"), overlaid(details));
  showShare(Number(comparison.player.slider.value));
}

function comparedRun(id, index) {
  const run = runs.get(id);
  return make("article", {},
    make("h3", {}, lineSample(index), " ", run.title),
    make("figure", {}),
    make("p", { class: "step" }),
    make("p", { class: "lead" }, run.status === "done" ? "" : `${run.status}. `,
      [run.text, ...run.marks.filter((mark) => !run.text.includes(mark))].join(", ")),
    run.note ? make("p", { class: "note" }, run.note) : null);
}

// The run's colour and dashes, as in the curves.
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

// The run with the most pictures: the slider's positions are its steps.
function longest() {
  return comparison.ids.map((id) => runs.get(id))
    .reduce((a, b) => (b.steps.length > a.steps.length ? b : a));
}

// Every run at the same share of its own training: runs may differ in length.
function showShare(position) {
  const { steps: measure } = longest();
  const share = measure.length ? measure[position][0] / measure.at(-1)[0] : 1;
  const steps = comparison.ids.map((id, index) => {
    const run = runs.get(id);
    const article = at("comparison-runs").children[index];
    const wanted = share * (run.steps.at(-1)?.[0] ?? 0);
    const far = run.steps.map(([step]) => Math.abs(step - wanted));
    const [step, src] = run.steps[far.indexOf(Math.min(...far))] ?? [null, run.full];
    showCompared(article, run, src);
    article.querySelector(".step").textContent = step === null ? "" : `step ${step}`;
    return step;
  });
  const text = `${Math.round(100 * share)} % of training`;
  at("comparison-time").querySelector("output").textContent = text;
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
  if (old?.getAttribute("src") === src) return;
  const image = picture(src, `generated images, ${run.title}`);
  image.addEventListener("load", fitComparison);
  if (old) Object.assign(image, { width: old.width, height: old.height });
  figure.replaceChildren(image);
}

function fitComparison() {
  if (!at("comparison").open) return;
  for (const image of at("comparison-runs").querySelectorAll("img")) {
    fit(image, image.closest("figure").clientWidth, Math.max(224, innerHeight * 0.45));
  }
}

// [label, [text a run]] of everything any of the runs was set to; null: not known of this run.
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
  const missing = details.map((one) => (one ? "–" : null));
  return labels.map((label) => [label, lists.map((list, i) => list.get(label) ?? missing[i])]);
}

function showSettings(details) {
  const all = settingsOf(details);
  const known = (texts) => texts.filter((text) => text !== null);
  const differs = ([, texts]) => new Set(known(texts)).size > 1;
  const differing = all.filter(differs);
  const equal = all.filter((setting) => !differs(setting));
  const head = make("tr", {}, make("td"), ...comparison.ids.map((id, index) =>
    make("th", { scope: "col" }, lineSample(index), unseen(runs.get(id).title))));
  const lines = differing.map(([label, texts]) => make("tr", {},
    make("th", { scope: "row" }, label),
    ...texts.map((text) => make("td", {}, text ?? "not known"))));
  at("comparison-settings").replaceChildren(
    differing.length
      ? make("table", { class: "settings" }, make("caption", {}, "What differs"),
        make("thead", {}, head), make("tbody", {}, ...lines))
      : make("p", {}, "Their settings are equal."),
    make("details", {},
      make("summary", {}, `${equal.length} settings they share`),
      pairs(equal.map(([label, texts]) => [label, known(texts)[0]]))),
  );
}

// A chart a series name, in it a line a run.
function overlaid(details) {
  const all = details.flatMap((one, index) => (one?.series ?? []).map((series) =>
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
