// The page of `gansweep rate`: it shows pairs of pictures, sends votes, and shows the ranking.

const byId = (id) => document.getElementById(id);
const WAIT = 3000;  // milliseconds until a search by eye is asked again for a pair
let pair = null;
let timer = null;

async function ask(path, body) {
  const options = body === undefined ? {} : {
    method: "POST", headers: { "X-Gansweep": "vote", "Content-Type": "application/json" },
    body: JSON.stringify(body),
  };
  const answer = await fetch(path, options).catch(() => null);
  if (!answer?.ok) {
    byId("said").textContent = answer ? `The vote does not count: ${await answer.text()}`
      : "The server has ended; start it again: python -m gansweep rate.";
    return null;
  }
  return answer.json();
}

async function next() {
  const found = await ask("/pair");
  if (!found) return;
  pair = found.pair ?? null;
  for (const side of ["left", "right"]) {
    byId(side).disabled = !pair;
    if (pair) byId(`${side}-picture`).src = found[side];
  }
  byId("pair").hidden = byId("tie").disabled = !pair;
  byId("said").textContent = `${found.votes} of ${found.pairs} pairs rated.`
    + (pair ? "" : " All pairs are rated.");
  if (found.more) {
    byId("said").textContent = `${found.votes} ${found.votes === 1 ? "vote" : "votes"} so far. `
      + "The next pictures are being trained.";
    clearTimeout(timer);
    timer = setTimeout(() => pair ?? next(), WAIT);
  }
  if (!pair) showResult();
}

async function vote(choice) {
  if (!pair) return;
  const now = pair;
  pair = null;  // a second press before the next pair is no vote
  if (await ask("/vote", { pair: now, choice })) await next();
  if (!byId("result").hidden) showResult();
}

async function undo() {
  if (await ask("/vote", { choice: "undo" })) await next();
  if (!byId("result").hidden) showResult();
}

function cell(content) {
  const element = document.createElement("td");
  element.append(content ?? "–");
  return element;
}

async function showResult() {
  const found = await ask("/result");
  if (!found) return;
  byId("result").hidden = false;
  byId("agreement").textContent = `${found.agreement}.`;
  byId("metric").textContent = found.metric || "value";
  byId("places").replaceChildren(...found.rows.map((row) => {
    const image = document.createElement("img");
    image.src = row.picture;
    image.alt = `picture of row ${row.row}`;
    const line = document.createElement("tr");
    line.append(...[row.place, image, row.row, row.value || null, row.by_value, row.votes]
      .map((content) => cell(typeof content === "number" ? String(content) : content)));
    return line;
  }));
}

byId("left").addEventListener("click", () => vote("left"));
byId("right").addEventListener("click", () => vote("right"));
byId("tie").addEventListener("click", () => vote("tie"));
byId("undo").addEventListener("click", undo);
byId("show").addEventListener("click", showResult);
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return;
  const action = {
    ArrowLeft: () => vote("left"), ArrowRight: () => vote("right"), ArrowDown: () => vote("tie"),
    u: undo, r: showResult,
  }[event.key];
  if (!action) return;
  event.preventDefault();
  action();
});
next();
