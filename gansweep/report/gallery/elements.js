// This file builds elements. A text only becomes a text node or an attribute value, so that no
// parameter, remark or log line is taken for markup.

const byId = (id) => document.getElementById(id);
const reducedMotion = matchMedia("(prefers-reduced-motion: reduce)");

// Makes an element. Attributes named on… are listeners; those that are null or false are omitted.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value === true) element.setAttribute(name, "");
    else if (value !== null && value !== undefined && value !== false) {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

// Makes a text for screen readers only.
function hiddenText(text) {
  return make("span", { class: "visually-hidden" }, text);
}

// Makes an image element. Pixels stay sharp squares where the picture is enlarged.
function picture(src, alt, attributes = {}) {
  const image = make("img", { ...attributes, alt, draggable: "false", "data-src": src });
  image.addEventListener("load", () => smooth(image));
  image.addEventListener("error", () =>
    image.replaceWith(make("span", { class: "nothing" }, "picture missing")));
  image.src = addressOf(src);
  return image;
}

// Smooths a picture unless it is shown at a whole multiple of its size, as otherwise some of its
// pixels would be wider than others.
function smooth(image) {
  const factor = image.clientWidth * devicePixelRatio / (image.naturalWidth || 1);
  image.classList.toggle("shrunk", factor < 1 || Math.abs(factor - Math.round(factor)) > 0.01);
}

// Shows `image` as large as fits. The factor is whole, as otherwise some pixels would be wider.
function fit(image, width, height) {
  const { naturalWidth, naturalHeight } = image;
  if (!naturalWidth || width <= 0) return;
  const ratio = devicePixelRatio;
  const factor = Math.min(width / naturalWidth, height / naturalHeight) * ratio;
  const scale = (factor >= 1 ? Math.floor(factor) : factor) / ratio;
  image.width = Math.round(naturalWidth * scale);
  image.height = Math.round(naturalHeight * scale);
  image.classList.toggle("shrunk", factor < 1);
}

// Makes a list of [label, text] pairs.
function pairs(list) {
  return make("dl", { class: "pairs" }, ...list.map(([label, text]) =>
    make("div", {}, make("dt", {}, label), make("dd", {}, text))));
}

// Makes a code block with a button that copies its text.
function command(text) {
  const code = make("code", { tabindex: "0" }, text);
  const button = make("button", { type: "button", onclick: copy }, "Copy");
  async function copy() {
    let copied = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {  // some browsers forbid it to pages from disk
      getSelection().selectAllChildren(code);
      copied = document.execCommand("copy");
    }
    button.textContent = copied ? "Copied" : "Press Ctrl-C";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }
  return make("div", { class: "command" }, make("pre", {}, code), button);
}

// Starts the slider and the play button in `container`, which call `show(position)`. Playing stops
// at the last position.
function player(container, show) {
  const slider = container.querySelector("input");
  const button = container.querySelector("button");
  let timer = null;

  function stop() {
    clearInterval(timer);
    timer = null;
    button.textContent = "Play";
  }

  function move(position) {
    slider.value = position;  // the slider clamps the value
    show(Number(slider.value));
  }

  function play() {
    if (timer) return stop();
    if (slider.value === slider.max) move(0);
    button.textContent = "Stop";
    const pause = reducedMotion.matches ? 1000
      : Math.min(500, Math.max(100, 5000 / (slider.max || 1)));
    timer = setInterval(() => {
      move(Number(slider.value) + 1);
      if (slider.value === slider.max) stop();
    }, pause);
  }

  slider.addEventListener("input", () => { stop(); show(Number(slider.value)); });
  button.addEventListener("click", play);
  stop();
  return {
    slider,
    stop,
    start(count, position) {
      stop();
      slider.max = Math.max(0, count - 1);
      container.hidden = count < 2;
      move(position);
    },
    playing: () => timer !== null,
    step(by) { stop(); move(Number(slider.value) + by); },
  };
}

// The close button and a click beside the dialog close it; arrow keys move its slider.
function prepareDialog(dialog, player) {
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  let pressed = null;  // where the button went down: dragging a selection out does not close
  dialog.addEventListener("pointerdown", (event) => { pressed = event.target; });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog && pressed === dialog) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.type === "range") return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by && !event.target.closest("pre")) {
      event.preventDefault();
      player.step(by);
    }
  });
  dialog.addEventListener("close", player.stop);
}
