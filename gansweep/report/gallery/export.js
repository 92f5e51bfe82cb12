// Saves the map as a PNG file, drawn on a canvas with the values of its axes.

const MARGIN = 8;  // pixels

// Copies of the pictures by their path: a page from disk may not draw the files beside it.
const copies = new Map();
window.gansweepPictures = (found) => {
  for (const [src, data] of Object.entries(found)) copies.set(src, data);
};

async function saveMap() {
  byId("map-said").textContent = "";
  if (page.copies && location.protocol === "file:") await loaded(page.copies);
  const canvas = await drawnMap();
  const link = make("a", { download: `${page.name || "map"}-map.png` });
  try {
    const blob = await new Promise((resolve) => { canvas.toBlob(resolve, "image/png"); });
    link.href = URL.createObjectURL(blob);
  } catch (error) {
    if (error.name !== "SecurityError") throw error;
    byId("map-said").textContent = "A browser does not let a page from disk copy its pictures. "
      + `Open the page by python -m gansweep serve ${page.name}, or write it by `
      + `python -m gansweep report ${page.name} --single.`;
    return;
  }
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  byId("map-said").textContent = `Saved ${link.download}, ${canvas.width} × ${canvas.height} pixels.`;
}

async function drawnMap() {
  const { x, y, across, down, place, rowsAt } = mapped();
  const size = Math.max(112, sizeNow());
  const font = "13px system-ui, sans-serif";
  const canvas = make("canvas");
  const context = canvas.getContext("2d");
  context.font = font;
  const widths = y.map((axis) => 2 * MARGIN
    + Math.max(...axis.values.concat(axis.column.name).map((t) => context.measureText(t).width)));
  const left = widths.reduce((a, b) => a + b, 0);
  const line = 20;
  const top = line * (x.length + 2);
  canvas.width = Math.ceil(left + across.length * (size + MARGIN) + MARGIN);
  canvas.height = Math.ceil(top + down.length * (size + line + MARGIN) + MARGIN);
  Object.assign(context, { font, fillStyle: themed("--ground"), textBaseline: "middle" });
  context.fillRect(0, 0, canvas.width, canvas.height);
  const write = (text, atX, atY, colour = "--text") => {
    context.fillStyle = themed(colour);
    context.fillText(text, atX, atY);
  };
  const column = (i) => left + i * (size + MARGIN);
  const height = (i) => top + i * (size + line + MARGIN);
  write(`${page.title}: ${page.pictures[place].heading}; ${namesOf(x)} →, ${namesOf(y)} ↓`,
    MARGIN, line / 2 + 2);
  x.forEach((_, level) => groups(across, level, x.length).forEach(([text, , start]) =>
    write(text, column(start), line * (level + 1.7), "--muted")));
  y.forEach((_, level) => groups(down, level, y.length).forEach(([text, , start]) =>
    write(text, MARGIN + widths.slice(0, level).reduce((a, b) => a + b, 0),
      height(start) + size / 2, "--muted")));
  await Promise.all(down.flatMap((values, j) => across.map(async (also, i) => {
    const list = rowsAt(also, values);
    const cell = list.length ? bestOfRows(list, place).cells[place] : {};
    const src = cell.thumbs?.[0] && sourceFor(cell.thumbs[0], size);
    if (cell.text) write(valueInParts(cell.text, page.pictures[place])[1], column(i),
      height(j) + size + line / 2);
    if (!src) return;
    const image = new Image();
    image.src = copies.get(src) ?? copies.get(cell.thumbs[0].src) ?? addressOf(src);
    await image.decode().catch(() => null);
    if (!image.naturalWidth) return;
    context.imageSmoothingEnabled = size % image.naturalWidth !== 0;
    context.drawImage(image, column(i), height(j), size, size);
    if (cell.mark !== "best") return;
    Object.assign(context, { strokeStyle: themed("--accent"), lineWidth: 3 });
    context.strokeRect(column(i) - 1.5, height(j) - 1.5, size + 3, size + 3);
  })));
  return canvas;
}
