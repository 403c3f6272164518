// The page as a whole: which view is shown, language, light or dark, what the server says it serves.

import * as add from "./add.js";
import * as compare from "./compare.js";
import { language, say, speak } from "./i18n.js";
import * as search from "./search.js";
import { call } from "./service.js";
import { service, whenServiceChanges } from "./state.js";

const VIEWS = ["search", "add", "compare"];

function keep(name, value) {
  try {
    localStorage.setItem(name, value);
  } catch {
    // storage is off: the choice lasts as long as the page
  }
}

/** Show one view and hide the others. */
function show(view) {
  for (const name of VIEWS) {
    document.getElementById(name).hidden = name !== view;
    const tab = document.getElementById(`tab-${name}`);
    if (name === view) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
  }
}

/** Follow the address: #search?q=…, #add, #compare. */
function follow() {
  const [name, parameters] = location.hash.slice(1).split("?", 2);
  const view = VIEWS.includes(name) ? name : "search";
  show(view);
  if (view === "search") search.open(new URLSearchParams(parameters ?? ""));
  if (view === "compare") compare.refresh();
}

function switchLanguage() {
  const code = language() === "ja" ? "en" : "ja";
  speak(code);
  keep("konayuki.language", code);
  labelLanguage();
  about();
  search.refresh();
  if (!document.getElementById("compare").hidden) compare.refresh();
}

function labelLanguage() {
  const button = document.getElementById("language");
  const toEnglish = language() === "ja";
  button.textContent = toEnglish ? "EN" : "日本語";
  button.lang = toEnglish ? "en" : "ja";
  button.setAttribute("aria-label", toEnglish ? "Switch to English" : "日本語に切り替える");
}

function switchTheme() {
  const root = document.documentElement;
  const dark = root.dataset.theme
    ? root.dataset.theme === "dark"
    : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  keep("konayuki.theme", root.dataset.theme);
}

function about() {
  if (!service.known) return;
  const values = { dim: service.dim, n: service.documents.toLocaleString() };
  document.getElementById("about").textContent = `konayuki ${service.version} · ${say(service.hasIndex ? "about" : "about_model", values)}`;
}

async function learn() {
  const info = await call("GET", "info");
  service.update({ ...info, hasIndex: info.documents !== null, documents: info.documents ?? 0 });
}

speak(language());
labelLanguage();
search.start();
add.start();
compare.start();
document.getElementById("language").addEventListener("click", switchLanguage);
document.getElementById("theme").addEventListener("click", switchTheme);
addEventListener("hashchange", follow);
whenServiceChanges(() => {
  about();
  add.refresh();
});
follow();
learn().then(follow, (error) => (document.getElementById("status").textContent = say("failed", { why: error.message })));
