// Type and find: the query as it is typed, hits with their reasons, filters, keys.

import { debounce, make } from "./elements.js";
import { say } from "./i18n.js";
import { ServiceError, call } from "./service.js";
import { facts, service } from "./state.js";

const PAUSE_MS = 40; // longer than a fast typist's gap would be felt as waiting
const PAGE = 10;
const MOST = 100;

const field = document.getElementById("query");
const list = document.getElementById("hits");
const status = document.getElementById("status");
const more = document.getElementById("more");
const empty = document.getElementById("empty");
const filters = document.getElementById("filters");
const filterForm = document.getElementById("filter");
const filterOpen = document.getElementById("filter-open");
const filterKey = document.getElementById("filter-key");
const filterValue = document.getElementById("filter-value");

let where = [];
let k = PAGE;
let running = null; // the request whose answer is still wanted

const mode = () => document.querySelector("input[name=mode]:checked").value;

/** Ask for what is typed now; an answer to anything older is dropped. */
async function search() {
  running?.abort();
  const query = field.value.trim();
  remember(query);
  if (!query || !service.hasIndex) {
    running = null;
    return showNothing();
  }
  const mine = (running = new AbortController());
  const started = performance.now();
  list.setAttribute("aria-busy", "true");
  try {
    const answer = await call("POST", "search", request(query), mine.signal);
    if (running === mine) show(answer, performance.now() - started);
  } catch (error) {
    if (running === mine && error instanceof ServiceError) fail(error);
    else if (error.name !== "AbortError") throw error;
  } finally {
    if (running === mine) list.removeAttribute("aria-busy");
  }
}

function request(query) {
  const body = { query, k, mode: mode() };
  if (where.length) {
    body.where = {};
    for (const { key, value } of where) body.where[key] = [...(body.where[key] ?? []), value];
  }
  return body;
}

const soon = debounce(search, PAUSE_MS);

function searchAnew() {
  k = PAGE;
  soon();
}

/** Keep the question in the address, so that it can be shared and Back works. */
function remember(query) {
  if (!location.hash.startsWith("#search") && location.hash) return;
  const address = query ? `#search?${new URLSearchParams({ q: query, mode: mode() })}` : "#search";
  history.replaceState(null, "", address);
}

function show(answer, ms) {
  const strongest = Math.max(...answer.hits.map((hit) => hit.lexical ?? 0), 1e-9);
  list.replaceChildren(...answer.hits.map((hit) => card(hit, strongest)));
  status.textContent = answer.hits.length ? say("found", { n: answer.hits.length, ms: Math.round(ms) }) : "";
  more.hidden = answer.hits.length < k || k >= MOST;
  empty.replaceChildren();
  if (!answer.hits.length)
    empty.append(make("p", { textContent: say("none") }), make("p", { className: "soft", textContent: say("none_hint") }));
  learnFacts(answer.hits);
}

function showNothing() {
  list.replaceChildren();
  list.removeAttribute("aria-busy");
  status.textContent = "";
  more.hidden = true;
  empty.replaceChildren(...welcome());
}

function welcome() {
  if (!service.known) return [];
  if (!service.hasIndex) return [make("p", { textContent: say("no_index") })];
  if (!service.documents) {
    const link = make("a", { href: "#add", textContent: say("welcome_add") });
    return [make("p", { textContent: say("welcome_empty") }), service.writable ? link : null].filter(Boolean);
  }
  const n = service.documents.toLocaleString();
  return [
    make("p", { textContent: say("welcome", { n }) }),
    make("p", { className: "soft keys", textContent: say("welcome_keys") }),
  ];
}

function fail(error) {
  status.textContent = say("failed", { why: error.message });
}

function card(hit, strongest) {
  const body = make("p", { className: "snippet" }, ...hit.snippet.map(piece));
  const item = make(
    "li",
    { className: "hit", tabIndex: -1 },
    make("div", { className: "what" }, heading(hit), body, chips(hit)),
    reasons(hit, strongest),
  );
  const open = make("button", { type: "button", className: "quiet open", textContent: say("open_text") });
  open.setAttribute("aria-expanded", "false");
  open.addEventListener("click", () => toggle(open, body, hit));
  item.querySelector(".what").append(make("div", { className: "acts" }, open, removal(hit, item)));
  return item;
}

const piece = ({ text, match }) => (match ? make("mark", { textContent: text }) : document.createTextNode(text));

function heading(hit) {
  const title = make("h2", { textContent: hit.title || hit.id });
  return hit.heading ? make("hgroup", {}, title, make("p", { textContent: hit.heading })) : title;
}

function chips(hit) {
  const nodes = facts(hit.metadata).map(({ key, value }) => {
    const name = `${key}: ${value}`;
    const chip = make("button", { type: "button", className: "chip", textContent: name });
    chip.setAttribute("aria-label", say("filter_by", { name }));
    chip.addEventListener("click", () => addFilter(key, value));
    return chip;
  });
  return nodes.length ? make("div", { className: "chips" }, ...nodes) : null;
}

/** Return the two parts of the score as bars: words against the best hit, meaning as it is. */
function reasons(hit, strongest) {
  return make(
    "div",
    { className: "reasons" },
    reason("words", hit.lexical, hit.lexical === null ? 0 : hit.lexical / strongest, 2),
    reason("meaning", hit.dense, Math.max(0, hit.dense ?? 0), 3),
  );
}

function reason(name, value, share, digits) {
  const shown = value === null ? "–" : value.toFixed(digits);
  const bar = make("span", { className: `part ${name}` }, make("i"));
  bar.firstChild.style.setProperty("--share", share.toFixed(3));
  const line = make("span", { className: "reason", title: say(`${name}_why`, { value: shown }) });
  line.append(make("span", { className: "label", textContent: say(name) }), bar, make("span", { className: "number", textContent: shown }));
  return line;
}

function toggle(button, body, hit) {
  const open = button.getAttribute("aria-expanded") === "false";
  button.setAttribute("aria-expanded", String(open));
  body.classList.toggle("whole", open);
  body.replaceChildren(...(open ? [hit.text] : hit.snippet.map(piece)));
}

/** Return the button that removes a document, at the second press. */
function removal(hit, item) {
  if (!service.writable) return null;
  const button = make("button", { type: "button", className: "quiet remove", textContent: say("remove") });
  button.addEventListener("click", async () => {
    if (!button.classList.contains("sure")) {
      button.classList.add("sure");
      button.textContent = say("remove_sure");
      return;
    }
    try {
      const answer = await call("DELETE", `documents/${encodeURIComponent(hit.id)}`);
      service.update({ documents: answer.documents });
      item.remove();
      status.textContent = say("removed", { name: hit.title || hit.id });
    } catch (error) {
      fail(error);
    }
  });
  button.addEventListener("blur", () => {
    button.classList.remove("sure");
    button.textContent = say("remove");
  });
  return button;
}

function addFilter(key, value) {
  if (!where.some((one) => one.key === key && one.value === value)) where.push({ key, value });
  showFilters();
  searchAnew();
}

function showFilters() {
  filters.replaceChildren(
    ...where.map(({ key, value }) => {
      const name = `${key}: ${value}`;
      const chip = make("button", { type: "button", className: "chip on" }, `${name} `, make("span", { textContent: "×" }));
      chip.setAttribute("aria-label", say("filter_remove", { name }));
      chip.addEventListener("click", () => {
        where = where.filter((one) => one.key !== key || one.value !== value);
        showFilters();
        searchAnew();
        filterOpen.focus();
      });
      return chip;
    }),
  );
}

/** Offer the metadata that was seen in hits when a filter is typed. */
function learnFacts(hits) {
  const seen = hits.flatMap((hit) => facts(hit.metadata));
  const options = (values) => [...new Set(values.map(String))].map((value) => make("option", { value }));
  document.getElementById("filter-keys").replaceChildren(...options(seen.map(({ key }) => key)));
  const wanted = filterKey.value.trim();
  const values = seen.filter(({ key }) => !wanted || key === wanted).map(({ value }) => value);
  document.getElementById("filter-values").replaceChildren(...options(values));
}

/** Return what a typed filter value means: numbers and booleans as such, all else as text. */
function typedValue(text) {
  if (/^(true|false|null|-?\d+(\.\d+)?)$/.test(text)) return JSON.parse(text);
  return text;
}

function keys(event) {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.getElementById("search").hidden) return;
  const cards = [...list.children];
  const at = cards.indexOf(document.activeElement?.closest?.(".hit"));
  const typing = document.activeElement?.matches("input, textarea");
  if (event.key === "/" && !typing) focusField(event);
  else if (event.key === "ArrowDown" && (at >= 0 || document.activeElement === field)) move(event, cards, at + 1);
  else if (event.key === "ArrowUp" && at >= 0) at === 0 ? focusField(event) : move(event, cards, at - 1);
  else if (event.key === "Enter" && document.activeElement === cards[at]) cards[at].querySelector(".open").click();
  else if (event.key === "Escape") escape(event, at);
}

function focusField(event) {
  event.preventDefault();
  field.focus();
  field.select();
}

function move(event, cards, to) {
  if (!cards.length) return;
  event.preventDefault();
  const card = cards[Math.min(to, cards.length - 1)];
  card.focus();
  card.scrollIntoView({ block: "nearest" });
}

function escape(event, at) {
  if (at >= 0) return focusField(event);
  if (document.activeElement === field && field.value) {
    field.value = "";
    searchAnew();
  }
}

/** Show what the address asks for. */
export function open(parameters) {
  const query = parameters.get("q");
  if (query !== null && query !== field.value.trim()) field.value = query;
  const wanted = document.querySelector(`input[name=mode][value="${CSS.escape(parameters.get("mode") ?? "hybrid")}"]`);
  if (query !== null && wanted) wanted.checked = true;
  search();
}

/** Rewrite everything that depends on the language or on what is served. */
export function refresh() {
  showFilters();
  search();
}

export function start() {
  document.getElementById("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  // While kana are still being converted there is no query yet, only keystrokes.
  field.addEventListener("input", (event) => event.isComposing || searchAnew());
  field.addEventListener("compositionend", searchAnew);
  for (const choice of document.querySelectorAll("input[name=mode]")) choice.addEventListener("change", searchAnew);
  more.addEventListener("click", () => {
    k = Math.min(k + PAGE, MOST);
    search();
  });
  filterOpen.addEventListener("click", () => {
    filterForm.hidden = !filterForm.hidden;
    filterOpen.setAttribute("aria-expanded", String(!filterForm.hidden));
    if (!filterForm.hidden) filterKey.focus();
  });
  filterForm.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!filterKey.value.trim()) return filterKey.focus();
    addFilter(filterKey.value.trim(), typedValue(filterValue.value.trim()));
    filterKey.value = filterValue.value = "";
    filterForm.hidden = true;
    filterOpen.setAttribute("aria-expanded", "false");
    filterOpen.focus();
  });
  document.addEventListener("keydown", keys);
}
