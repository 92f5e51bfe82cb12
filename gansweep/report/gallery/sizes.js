// The size of the pictures in all views, and which of the picture columns a view shows.

const SIZES = [56, 84, 112, 168, 224, 336, 448];  // CSS pixels
const FEW_ROWS = 12;
const THUMBNAIL = 256;  // pixels: larger pictures have a file of their own

function usualSize() {
  return rows.length > FEW_ROWS ? 84 : 112;
}

function sizeNow() {
  return SIZES.includes(Number(state.size)) ? Number(state.size) : usualSize();
}

// Returns the path of the picture for the present size: the thumbnail, or the whole picture.
function sourceFor({ run, src }, size = sizeNow()) {
  const { full } = runs.get(run);
  const has = full && (!page.files || full in page.files);
  return has && size > THUMBNAIL ? full : src;
}

function buildSizes() {
  const slider = byId("size");
  slider.max = SIZES.length - 1;
  slider.addEventListener("input", () => {
    const size = SIZES[slider.value];
    setState({ size: size === usualSize() ? "" : String(size) });
    showSize();
  });
  byId("on").addEventListener("change", () => {
    setState({ on: byId("on").value === page.pictures[0].heading ? "" : byId("on").value });
    update();
  });
  addEventListener("resize", () => document.querySelectorAll("main img").forEach(smooth));
}

function showSize() {
  const size = sizeNow();
  byId("size").value = SIZES.indexOf(size);
  byId("size").setAttribute("aria-valuetext", `${size} pixels`);
  document.documentElement.style.setProperty("--size", `${size}px`);
  for (const image of document.querySelectorAll("main .open img")) {
    const { run, src } = image.parentElement.dataset;
    const wanted = sourceFor({ run, src }, size);
    if (wanted !== image.dataset.src) {
      image.dataset.src = wanted;
      image.src = addressOf(wanted);
    }
    smooth(image);
  }
}

const ALL = "all";

function buildPictureChoice() {
  byId("on").replaceChildren(...page.pictures.map(({ heading }) =>
    make("option", { value: heading }, heading)), make("option", { value: ALL }, "all"));
}

// Returns the places of the picture columns that the wall or the map shows. The map shows one.
function placesShown(view) {
  const place = page.pictures.findIndex(({ heading }) => heading === state.on);
  if (state.on === ALL && view === "wall") return page.pictures.map((_, i) => i);
  return [Math.max(0, place)];
}

function showPictureChoice() {
  byId("on-label").hidden = page.pictures.length < 2 || !["wall", "map"].includes(state.view);
  byId("on").lastElementChild.hidden = state.view === "map";
  const places = placesShown(state.view);
  byId("on").value = places.length > 1 ? ALL : page.pictures[places[0]].heading;
}
