// Building elements. Texts only ever become text nodes and attribute values, so that nothing in a
// parameter, a remark or a log line is taken for markup.

const at = (id) => document.getElementById(id);
const calm = matchMedia("(prefers-reduced-motion: reduce)");

// An element; attributes named on… are listeners, those that are null or false are left out.
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

function unseen(text) {
  return make("span", { class: "unseen" }, text);
}

// A picture whose pixels stay pixels where it is shown larger than it is.
function picture(src, alt, attributes = {}) {
  const image = make("img", { ...attributes, alt, draggable: "false" });
  image.addEventListener("load", () =>
    image.classList.toggle("shrunk", image.naturalWidth > image.clientWidth));
  image.addEventListener("error", () =>
    image.replaceWith(make("span", { class: "nothing" }, "picture missing")));
  image.src = src;
  return image;
}

// Show `image` as large as fits, by a whole factor: otherwise some pixels are wider than others.
function fit(image, width, height) {
  const { naturalWidth, naturalHeight } = image;
  if (!naturalWidth || width <= 0) return;
  const dots = devicePixelRatio;
  const factor = Math.min(width / naturalWidth, height / naturalHeight) * dots;
  const scale = (factor >= 1 ? Math.floor(factor) : factor) / dots;
  image.width = Math.round(naturalWidth * scale);
  image.height = Math.round(naturalHeight * scale);
  image.classList.toggle("shrunk", factor < 1);
}

function pairs(list) {
  return make("dl", { class: "pairs" }, ...list.map(([label, text]) =>
    make("div", {}, make("dt", {}, label), make("dd", {}, text))));
}

function command(text) {
  const code = make("code", { tabindex: "0" }, text);
  const button = make("button", { type: "button", onclick: copy }, "Copy");
  async function copy() {
    let copied = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {  // not every browser lets a page from disk do that
      getSelection().selectAllChildren(code);
      copied = document.execCommand("copy");
    }
    button.textContent = copied ? "Copied" : "Press Ctrl-C";
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  }
  return make("div", { class: "command" }, make("pre", {}, code), button);
}

// A slider with a play button, in `container`; calls `show(position)`. Plays once, to its end.
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
    slider.value = position;  // the slider keeps it within its bounds
    show(Number(slider.value));
  }

  function play() {
    if (timer) return stop();
    if (slider.value === slider.max) move(0);
    button.textContent = "Stop";
    const pause = calm.matches ? 1000 : Math.min(500, Math.max(100, 5000 / (slider.max || 1)));
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
    step(by) { stop(); move(Number(slider.value) + by); },
  };
}

// Close buttons, a click beside the dialog, and the arrow keys on its slider.
function prepareDialog(dialog, player) {
  dialog.querySelector(".close").addEventListener("click", () => dialog.close());
  let pressed = null;  // a selection dragged out of the dialog is no click beside it
  dialog.addEventListener("pointerdown", (event) => { pressed = event.target; });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog && pressed === dialog) dialog.close();
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target === player.slider) return;
    const by = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (by && !event.target.closest("pre")) {
      event.preventDefault();
      player.step(by);
    }
  });
  dialog.addEventListener("close", player.stop);
}
