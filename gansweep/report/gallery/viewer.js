// The viewer: one run, large, through its training; its parameters, curves and log.

const viewer = { run: null, id: null, curves: null, player: null };

function buildViewer() {
  viewer.player = player(at("viewer-time"), showStep);
  prepareDialog(at("viewer"), viewer.player);
  at("viewer-previous").addEventListener("click", () => moveRun(-1));
  at("viewer-next").addEventListener("click", () => moveRun(1));
  at("viewer-choose").addEventListener("change", ({ target }) => choose(viewer.id, target));
  at("viewer").addEventListener("close", leaveRun);
  at("viewer").addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest("select")) return;
    const by = { j: 1, PageDown: 1, k: -1, PageUp: -1 }[event.key];
    if (!by) return;
    event.preventDefault();
    moveRun(by);
  });
  addEventListener("resize", fitViewer);
  addEventListener("hashchange", followHash);
}

// The address says which run is open, so that it can be sent to somebody and Back closes it.
function openRun(id) {
  location.hash = `run=${encodeURIComponent(id)}`;
}

function followHash() {
  const id = runOfHash();
  if (id) return showRun(id);
  if (at("viewer").open) at("viewer").close();
}

function runOfHash() {
  const [, text] = location.hash.match(/^#run=(.+)$/) ?? [];
  try {
    return text && runs.has(decodeURIComponent(text)) ? decodeURIComponent(text) : null;
  } catch {  // a damaged address
    return null;
  }
}

function moveRun(by) {
  const order = orderAround(viewer.id);
  const id = order[order.indexOf(viewer.id) + by];
  if (id) location.replace(`#run=${encodeURIComponent(id)}`);
}

function leaveRun() {
  viewer.curves?.remove();
  viewer.curves = null;
  if (runOfHash()) history.replaceState(null, "", location.href.split("#")[0]);
  focusRun(viewer.id);
}

// Focus where this run stands in what is shown: on its picture or on its cell's first.
function focusRun(id) {
  const view = at("map-view").hidden ? revealRow(runs.get(id).row) : at("map-view");
  const cell = rowOf.get(runs.get(id).row)?.cells[runs.get(id).picture];
  const wanted = [id, ...(cell?.runs ?? [])];
  const buttons = [...(view?.querySelectorAll("button.open") ?? [])];
  const button = wanted.map((one) => buttons.find((b) => b.dataset.run === one)).find(Boolean);
  button?.focus({ preventScroll: true });
  button?.scrollIntoView({ block: "nearest" });
}

function showRun(id) {
  const run = runs.get(id);
  Object.assign(viewer, { run, id });
  const order = orderAround(id);
  const place = order.indexOf(id);
  at("viewer-title").textContent = run.title;
  at("viewer-previous").disabled = place <= 0;
  at("viewer-next").disabled = place >= order.length - 1;
  at("viewer-choose").checked = chosen.has(id);
  viewer.curves?.remove();
  viewer.curves = null;
  showAbout(null);
  if (!at("viewer").open) {
    if (at("comparison").open) at("comparison").close();
    at("viewer").showModal();
    at("viewer-title").focus();
  }
  at("viewer").scrollTop = 0;
  for (const [, src] of run.steps) new Image().src = src;  // so that the slider does not flicker
  viewer.player.start(run.steps.length, equilibriumAt(run));
  detailsOf(id).then((details) => {
    if (viewer.id === id && at("viewer").open && details) showDetails(details);
  });
}

// Where on the slider the equilibrium is: at the step nearest to it; without one, at the end.
function equilibriumAt(run) {
  if (run.equilibrium === null || run.equilibrium === undefined) return run.steps.length - 1;
  const far = run.steps.map(([step]) => Math.abs(step - run.equilibrium));
  return far.indexOf(Math.min(...far));
}

// Beside the equilibrium's images the training image that is nearest to each: is it a copy? Beside
// those of other steps some real images.
function showReal(step) {
  const { real, real_label: label } = page.pictures[viewer.run.picture];
  const { nearest, equilibrium } = viewer.run;
  const [src, text] = nearest && step === equilibrium
    ? [nearest, "the training image nearest to each"]
    : [real, `real: ${label}`];
  const old = at("viewer-real").querySelector("img");
  if (old?.getAttribute("src") === src && at("viewer-real").textContent === text) return;
  at("viewer-real").hidden = !src;
  at("viewer-real").replaceChildren(...(src
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
    text += step === run.equilibrium ? ", equilibrium" : `, equilibrium at ${run.equilibrium}`;
  }
  const slider = at("viewer-time").querySelector("input");
  slider.setAttribute("aria-valuetext", text);
  at("viewer-time").querySelector("output").textContent = text;
  const tick = at("viewer-time").querySelector(".tick");
  tick.hidden = run.equilibrium === null;
  tick.style.setProperty("--share", equilibriumAt(run) / Math.max(1, run.steps.length - 1));

  const old = at("viewer-fake").querySelector("img");
  const image = src && large(src, `generated images, ${run.title}, ${text}`);
  // The old size until the new picture is there, or everything below would jump.
  if (old && image) Object.assign(image, { width: old.width, height: old.height });
  const said = run.steps.length > 1 ? "generated, the same z at every step" : "generated";
  at("viewer-fake").replaceChildren(
    image || make("span", { class: "nothing" }, run.status === "done" ? "no picture" : run.status),
    make("figcaption", {}, src ? said : ""),
  );
  viewer.curves?.mark(step === null ? [] : [step]);
  showReal(step);
}

function fitViewer() {
  if (!at("viewer").open) return;
  const frame = at("viewer-fake");
  for (const image of at("viewer").querySelectorAll("figure img")) {
    fit(image, frame.clientWidth, Math.max(224, innerHeight * 0.6));
  }
}

// What is known of the run without its details, and with them.
function showAbout(details) {
  const { run } = viewer;
  const row = rowOf.get(run.row);
  const siblings = row?.cells[run.picture]?.runs ?? [];
  const params = details?.params
    ?? page.columns.map(({ heading }, i) => [heading, row?.texts[i] ?? ""]);
  const verdict = [run.text, ...run.marks.filter((mark) => !run.text.includes(mark))].join(", ");
  at("viewer-about").replaceChildren(...[
    make("p", { class: "lead" }, run.status === "done" ? "" : `${run.status}. `, verdict),
    run.note ? make("p", { class: "note" }, run.note) : null,
    siblings.length > 1 ? make("p", { class: "seeds" }, "seed ", ...siblings.map((id) =>
      make("button", {
        type: "button",
        "aria-pressed": String(id === viewer.id),
        onclick: () => location.replace(`#run=${encodeURIComponent(id)}`),
      }, String(runs.get(id).seed)))) : null,
    make("h3", {}, "Parameters"), pairs(params),
    details?.facts?.length ? make("h3", {}, "Facts") : null,
    details?.facts?.length ? pairs(details.facts) : null,
    details?.command ? make("h3", {}, "Command") : null,
    details?.command ? command(details.command) : null,
    run.full ? make("p", { class: "file" },
      make("a", { href: run.full, target: "_blank" }, "Picture file")) : null,
    details?.log?.length ? make("details", {}, make("summary", {}, "Log, last lines"),
      make("pre", { class: "log", tabindex: "0" }, details.log.join("\n"))) : null,
  ].filter(Boolean));
}

function showDetails(details) {
  showAbout(details);
  const groups = [...new Set(details.series.map((series) => series.group))];
  viewer.curves?.remove();
  viewer.curves = drawCurves(at("viewer-curves"), groups.map((group) => ({
    title: group,
    lines: details.series.filter((series) => series.group === group)
      .map(({ name, x, y }, index) => ({ label: name, index, x, y })),
    equilibria: [viewer.run.equilibrium].filter((step) => step !== null),
  })));
  const step = viewer.run.steps[viewer.player.slider.value]?.[0];
  viewer.curves.mark(step === undefined ? [] : [step]);
}
