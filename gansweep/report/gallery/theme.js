// The page follows the theme of the system until its switch is used. The browser keeps the choice,
// where it lets a page keep anything.

const systemDark = matchMedia("(prefers-color-scheme: dark)");
const THEME = "gansweep-theme";
const onTheme = new Set();  // functions to call after a change

const isDark = () => (document.documentElement.dataset.theme ?? (systemDark.matches ? "dark" : ""))
  === "dark";

function buildTheme() {
  try {
    const kept = localStorage.getItem(THEME);
    if (kept === "dark" || kept === "light") document.documentElement.dataset.theme = kept;
  } catch { /* the browser forbids it */ }
  byId("theme").addEventListener("click", changeTheme);
  systemDark.addEventListener("change", themeChanged);
  themeChanged();
}

function changeTheme() {
  const next = isDark() ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try {
    localStorage.setItem(THEME, next);
  } catch { /* the browser forbids it */ }
  themeChanged();
}

function themeChanged() {
  byId("theme").textContent = isDark() ? "Light" : "Dark";
  byId("theme").title = `Show the page ${isDark() ? "light" : "dark"}`;
  for (const call of onTheme) call();
}
