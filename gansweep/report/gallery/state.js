// The state of the page is in its address, so that a link leads to what somebody sees: the view,
// the filter, the order, the size of the pictures, the axes of the map and the open run.

const USUAL = {
  view: "table", where: "", status: "", sort: "", size: "", on: "", x: "", y: "", run: "",
};
const state = { ...USUAL };

// Reads the address. Unknown names and damaged values are left out.
function readAddress() {
  Object.assign(state, USUAL);
  for (const [name, value] of new URLSearchParams(location.hash.slice(1))) {
    if (name in USUAL) state[name] = value;
  }
  if (state.run && !runs.has(state.run)) state.run = "";
}

// Returns the address of the page in the present state.
function address() {
  const values = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) {
    if (value !== USUAL[name]) values.set(name, value);
  }
  // These characters are clear in an address, and a reader can make out a condition.
  const text = values.toString().replaceAll("%2C", ",").replaceAll("%3D", "=")
    .replaceAll("%3A", ":").replaceAll("%2F", "/");
  return `${location.href.split("#")[0]}${text ? `#${text}` : ""}`;
}

// Changes the state and the address, without an entry in the browser's history.
function setState(changes) {
  Object.assign(state, changes);
  if (location.href !== address()) history.replaceState(null, "", address());
}
