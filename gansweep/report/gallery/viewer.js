// The viewer shows one run: its pictures during training, its parameters, curves and log.

const viewer = { run: null, id: null, curves: null, player: null, step: null, beside: null };

function buildViewer() {
  viewer.player = player(byId("viewer-time"), showStep);
  prepareDialog(byId("viewer"), viewer.player);
  byId("viewer-previous").addEventListener("click", () => moveRun(-1));
  byId("viewer-next").addEventListener("click", () => moveRun(1));
  byId("viewer-choose").addEventListener("change", ({ target }) => choose(viewer.id, target));
  byId("viewer").addEventListener("close", leaveRun);
  byId("viewer").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select")) return;
    const by = { j: 1, PageDown: 1, k: -1, PageUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    moveRun(by);
  });
  addEventListener("resize", fitViewer);
  addEventListener("hashchange", followAddress);
  for (const name of ["real", "nearest"]) {
    byId(`show-${name}`).addEventListener("click", () => {
      viewer.beside = name;
      showReal(viewer.step);
    });
  }
}

// Opens a run. Its id is in the address, so that links lead to it and Back closes it.
function openRun(id) {
  state.run = id;
  location.hash = address().split("#")[1];
}

function followAddress() {
  const before = JSON.stringify({ ...state, run: "" });
  readAddress();
  if (before !== JSON.stringify({ ...state, run: "" })) showState();
  if (state.run) return showRun(state.run);
  if (byId("viewer").open) byId("viewer").close();
}

function moveRun(by) {
  const order = orderAround(viewer.id);
  const id = order[order.indexOf(viewer.id) + by];
  if (id) switchRun(id);
}

// Shows another run in the place of the open one.
function switchRun(id) {
  setState({ run: id });
  showRun(id);
}

function leaveRun() {
  viewer.curves?.remove();
  viewer.curves = null;
  setState({ run: "" });
  focusRun(viewer.id);
}

// Focuses the run's picture in the table or the map, or else another picture of the same cell.
function focusRun(id) {
  const view = state.view === "table" ? revealRow(runs.get(id).row) : byId(`${state.view}-view`);
  const cell = rowOf.get(runs.get(id).row)?.cells[runs.get(id).picture];
  const wanted = [id, ...(cell?.runs ?? [])];
  const buttons = [...(view?.querySelectorAll("button.open") ?? [])];
  const button = wanted.map((run) => buttons.find((b) => b.dataset.run === run)).find(Boolean);
  button?.focus({ preventScroll: true });
  button?.scrollIntoView({ block: "nearest" });
}

function showRun(id) {
  const run = runs.get(id);
  Object.assign(viewer, { run, id });
  const order = orderAround(id);
  const place = order.indexOf(id);
  byId("viewer-title").textContent = run.title;
  byId("viewer-previous").disabled = place <= 0;
  byId("viewer-next").disabled = place >= order.length - 1;
  byId("viewer-choose").checked = chosen.has(id);
  viewer.curves?.remove();
  viewer.curves = null;
  showAbout(null);
  if (!byId("viewer").open) {
    if (byId("comparison").open) byId("comparison").close();
    byId("viewer").showModal();
    byId("viewer-title").focus();
  }
  byId("viewer").scrollTop = 0;
  for (const [, src] of run.steps) new Image().src = addressOf(src);  // preloaded: the slider does not flicker
  viewer.beside = null;
  viewer.player.start(run.steps.length, equilibriumAt(run));
  detailsOf(id).then((details) => {
    if (viewer.id === id && byId("viewer").open && details) showDetails(details);
  });
}

// Shows news of the open run; the slider stays where it is, or at the end if it was there.
function refreshRun() {
  if (viewer.player.playing()) return;
  const { id } = viewer;
  const { slider } = viewer.player;
  const atEnd = slider.value === slider.max;
  const position = Number(slider.value);
  viewer.run = runs.get(id);
  const count = viewer.run.steps.length;
  viewer.player.start(count, atEnd ? count - 1 : position);
  detailsOf(id).then((details) => {
    if (viewer.id === id && byId("viewer").open && details) showDetails(details);
  });
}

// Returns the position on the slider that is nearest to the equilibrium; without one, the last.
function equilibriumAt(run) {
  if (run.equilibrium === null || run.equilibrium === undefined) return run.steps.length - 1;
  const gaps = run.steps.map(([step]) => Math.abs(step - run.equilibrium));
  return gaps.indexOf(Math.min(...gaps));
}

// Shows the training images nearest to the generated ones if the step is that of the best weights,
// so that copies are visible; at other steps it shows a sample of real images. Two buttons choose.
function showReal(step) {
  const { real, real_label: label } = page.pictures[viewer.run.picture];
  const { nearest: near, equilibrium } = viewer.run;
  viewer.step = step;
  const pictures = { real: [real, `real: ${label}`], nearest: [near, "the training image nearest to each"] };
  let kind = near && step === equilibrium ? "nearest" : "real";
  if (viewer.beside && pictures[viewer.beside][0]) kind = viewer.beside;
  if (!pictures[kind][0] && near && kind === "real") kind = "nearest";
  byId("viewer-beside").hidden = !(real && near);
  for (const name of ["real", "nearest"]) {
    byId(`show-${name}`).setAttribute("aria-pressed", String(name === kind));
  }
  const [src] = pictures[kind];
  let [, text] = pictures[kind];
  if (kind === "nearest" && step !== equilibrium) text += ` of the best step, ${equilibrium}`;
  const old = byId("viewer-real").querySelector("img");
  if (old?.dataset.src === src && byId("viewer-real").textContent === text) return;
  byId("viewer-real").hidden = !src;
  byId("viewer-real").replaceChildren(...(src
    ? [large(src, text), make("figcaption", {}, text)]
    : []));
}

function large(src, alt) {
  const image = picture(src, alt);
  image.addEventListener("load", fitViewer);
  return image;
}

function showStep(position) {
  const { run } = viewer;
  const [step, src] = run.steps[position] ?? [null, run.full];
  const last = run.steps.at(-1)?.[0];
  let text = step === null ? "" : `step ${step} of ${last}`;
  if (step !== null && run.equilibrium !== null && position === equilibriumAt(run)) {
    text += step === run.equilibrium ? ", the best" : `, the best is ${run.equilibrium}`;
  }
  const slider = byId("viewer-time").querySelector("input");
  slider.setAttribute("aria-valuetext", text);
  byId("viewer-time").querySelector("output").textContent = text;
  const tick = byId("viewer-time").querySelector(".tick");
  tick.hidden = run.equilibrium === null;
  tick.style.setProperty("--share", equilibriumAt(run) / Math.max(1, run.steps.length - 1));

  const old = byId("viewer-fake").querySelector("img");
  const image = src && large(src, `generated images, ${run.title}, ${text}`);
  // The new picture keeps the old size until it has loaded; else everything below would jump.
  if (old && image) Object.assign(image, { width: old.width, height: old.height });
  const label = run.steps.length > 1 ? "generated from the same z at every step" : "generated";
  byId("viewer-fake").replaceChildren(
    image || make("span", { class: "nothing" }, run.status === "done" ? "no picture" : run.status),
    make("figcaption", {}, src ? label : ""),
  );
  viewer.curves?.mark(step === null ? [] : [step]);
  showReal(step);
}

function fitViewer() {
  if (!byId("viewer").open) return;
  const frame = byId("viewer-fake");
  for (const image of byId("viewer").querySelectorAll("figure img")) {
    fit(image, frame.clientWidth, Math.max(224, innerHeight * 0.6));
  }
}

// Returns the result of a run in one paragraph.
function lead(run) {
  const field = page.pictures[run.picture];
  return make("p", { class: "lead" }, run.status === "done" ? "" : `${run.status}. `,
    run.text ? valueLabel(run.text, field) : null, run.text && run.words.length ? ", " : null,
    ...wordsOf(run.words));
}

// Shows what is known about the run; details: null until they are loaded.
function showAbout(details) {
  const { run } = viewer;
  const row = rowOf.get(run.row);
  const siblings = row?.cells[run.picture]?.runs ?? [];
  const params = details?.params
    ?? page.columns.map(({ heading }, i) => [heading, row?.texts[i] ?? ""]);
  byId("viewer-about").replaceChildren(...[
    lead(run),
    run.note ? make("p", { class: "note" }, run.note) : null,
    siblings.length > 1 ? make("p", { class: "seeds" }, "seed ", ...siblings.map((id) =>
      make("button", {
        type: "button",
        "aria-pressed": String(id === viewer.id),
        onclick: () => switchRun(id),
      }, String(runs.get(id).seed)))) : null,
    make("h3", {}, "Parameters"), pairs(params),
    details?.facts?.length ? make("h3", {}, "Facts") : null,
    details?.facts?.length ? pairs(details.facts) : null,
    details?.command ? make("h3", {}, "Command") : null,
    details?.command ? command(details.command) : null,
    run.full && !page.files ? make("p", { class: "file" },
      make("a", { href: run.full, target: "_blank" }, "Picture file")) : null,
    details?.log?.length ? make("details", {}, make("summary", {}, "Log, last lines"),
      make("pre", { class: "log", tabindex: "0" }, details.log.join("\n"))) : null,
  ].filter(Boolean));
}

function showDetails(details) {
  showAbout(details);
  const groups = [...new Set(details.series.map((series) => series.group))];
  viewer.curves?.remove();
  viewer.curves = drawCurves(byId("viewer-curves"), groups.map((group) => ({
    title: group,
    lines: details.series.filter((series) => series.group === group)
      .map(({ name, x, y }, index) => ({ label: name, index, x, y })),
    equilibria: [viewer.run.equilibrium].filter((step) => step !== null),
  })));
  const step = viewer.run.steps[viewer.player.slider.value]?.[0];
  viewer.curves.mark(step === undefined ? [] : [step]);
}
