// The swipe lays the pictures of two compared runs upon each other, with a slider between them.

function startSwipe(ids) {
  byId("swipe").hidden = ids.length !== 2;
  byId("swipe-pictures").replaceChildren(make("span", { class: "divider", "aria-hidden": "true" }));
  byId("swipe-range").value = 50;
  if (ids.length !== 2) return;
  const [one, other] = ids.map((id) => runs.get(id).title);
  byId("swipe-range").setAttribute("aria-label", `${one} on the left, ${other} on the right`);
  moveSwipe();
}

function buildSwipe() {
  byId("swipe-range").addEventListener("input", moveSwipe);
}

function moveSwipe() {
  byId("swipe-pictures").style.setProperty("--cut", `${byId("swipe-range").value}%`);
}

function showSwiped(index, run, src) {
  if (byId("swipe").hidden) return;
  const old = byId("swipe-pictures").querySelector(`[data-side="${index}"]`);
  if (old?.dataset.src === src) return;
  old?.remove();
  if (!src) return;
  const image = picture(src, `generated images, ${run.title}`, { "data-side": index });
  image.addEventListener("load", fitSwipe);
  if (old) Object.assign(image, { width: old.width, height: old.height });
  byId("swipe-pictures").append(image);
}

// Both pictures have the size of the first one, so that the same latents lie upon each other.
function fitSwipe() {
  const [first, ...others] = byId("swipe-pictures").querySelectorAll("img");
  if (byId("swipe").hidden || !first?.naturalWidth) return;
  fit(first, byId("swipe").clientWidth, Math.max(224, innerHeight * 0.5));
  for (const image of others) {
    image.width = first.width;
    image.height = first.height;
    smooth(image);
  }
  byId("swipe-range").style.width = `${first.width}px`;
}
