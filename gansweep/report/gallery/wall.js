// The wall shows pictures only. The best has a frame; the name of a run shows at its picture.

function drawWall() {
  const tiles = shown.rows.flatMap((row) => placesShown("wall").flatMap((place) => {
    const cell = row.cells[place];
    return (cell.thumbs ?? []).map((thumb) => tile(thumb, row, cell, page.pictures[place]));
  }));
  byId("wall-view").replaceChildren(...tiles);
}

function tile(thumb, row, cell, field) {
  const button = thumbnail(thumb);
  const parts = cell.text ? valueInParts(cell.text, field).join(" ") : "";
  const rank = cell.rank ? `${cell.rank}. ` : "";
  button.title = [`${rank}row ${row.label}`, parts, ...(cell.words ?? []), settingsInWords(row)]
    .filter(Boolean).join("\n");
  if (cell.mark === "best") button.classList.add("leader");
  return button;
}
