// Type and find: the query as it is typed, its hits, filters, keys.

import { debounce, make } from "./elements.js";
import { cards } from "./hits.js";
import { say } from "./i18n.js";
import { ServiceError, call } from "./service.js";
import { facts, service } from "./state.js";
import { clearSuggestions, explain, suggestSoon } from "./suggest.js";

const PAUSE_MS = 40; // longer than a fast typist's gap would be felt as waiting
const PAGE = 10;
const MOST = 100;
const WEAK = 0.01; // a hit of less relevance is hardly ever an answer

const field = document.getElementById("query");
const list = document.getElementById("hits");
const status = document.getElementById("status");
const note = document.getElementById("note");
const more = document.getElementById("more");
const empty = document.getElementById("empty");
const filters = document.getElementById("filters");
const filterForm = document.getElementById("filter");
const filterOpen = document.getElementById("filter-open");
const filterKey = document.getElementById("filter-key");
const filterValue = document.getElementById("filter-value");
const sort = document.getElementById("sort");
const byFile = document.getElementById("by-file");

let where = [];
let k = PAGE;
let like = null; // the hit that others should be like, instead of a query
let running = null; // the request whose answer is still wanted

const mode = () => document.querySelector("input[name=mode]:checked").value;

/** Ask for what is typed now; an answer to anything older is dropped. */
async function search() {
  running?.abort();
  const query = field.value.trim();
  remember(query);
  if (!(query || like) || !service.hasIndex || !service.documents) {
    running = null;
    return showNothing();
  }
  const mine = (running = new AbortController());
  const started = performance.now();
  list.setAttribute("aria-busy", "true");
  try {
    const answer = like ? await similar(mine.signal) : await call("POST", "search", request(query), mine.signal);
    if (running === mine) show(answer, query, performance.now() - started);
  } catch (error) {
    if (running === mine && error instanceof ServiceError) fail(error);
    else if (error.name !== "AbortError") throw error;
  } finally {
    if (running === mine) list.removeAttribute("aria-busy");
  }
}

function request(query) {
  const body = { query, k, mode: mode(), sort: sort.value, by_file: byFile.checked };
  if (where.length) body.where = filter();
  return body;
}

async function similar(signal) {
  const parameters = { id: like.id, k };
  if (where.length) parameters.where = JSON.stringify(filter());
  return call("GET", `similar?${new URLSearchParams(parameters)}`, undefined, signal);
}

function filter() {
  const values = {};
  for (const { key, value } of where) values[key] = [...(values[key] ?? []), value];
  return values;
}

const soon = debounce(search, PAUSE_MS);

function searchAnew() {
  k = PAGE;
  soon();
}

/** The text has changed: forget what belongs to another question. */
function typed() {
  like = null;
  showFilters();
  suggestSoon(field, take);
  searchAnew();
}

/** Put a whole query into the field and ask it. */
function take(text) {
  field.value = text;
  field.focus();
  like = null;
  showFilters();
  searchAnew();
}

/** Add a filter to the query, once. */
function ask(addition) {
  const query = field.value.trim();
  take(query.split(/\s+/).includes(addition) ? query : `${query} ${addition}`.trim());
}

/** Keep the question in the address, so that it can be shared and Back works. */
function remember(query) {
  if (!location.hash.startsWith("#search") && location.hash) return;
  const parameters = new URLSearchParams({ q: query, mode: mode() });
  if (sort.value !== "score") parameters.set("sort", sort.value);
  history.replaceState(null, "", query ? `#search?${parameters}` : "#search");
}

const acts = {
  ask,
  fail,
  filter: addFilter,
  removed: (hit) => (status.textContent = say("removed", { name: hit.title || hit.id })),
  similar(hit) {
    like = hit;
    k = PAGE;
    clearSuggestions();
    showFilters();
    search();
    document.getElementById("search").scrollIntoView();
  },
};

function show(answer, query, ms) {
  const hopeless = answer.verdict === "nothing" && answer.hits.length > 0;
  const nodes = cards(answer.hits, query, acts);
  list.replaceChildren(...(hopeless ? [] : strong(answer.hits, nodes)));
  status.textContent = answer.hits.length && !hopeless ? say("found", { n: answer.hits.length, ms: Math.round(ms) }) : "";
  note.textContent = answer.verdict === "doubtful" ? say("doubtful") : "";
  const isFolded = list.querySelector(":scope > .fold") !== null; // what follows is weaker still
  more.hidden = hopeless || isFolded || answer.hits.length < k || k >= MOST;
  empty.replaceChildren(...(hopeless ? nothingRelevant(nodes) : answer.hits.length ? [] : nothingFound(query)));
  learnFacts(answer.hits);
}

/** Return the cards, without the weak ones behind the last that is not; they are folded away. */
function strong(hits, nodes) {
  const n = 1 + hits.findLastIndex(({ relevance }) => relevance === null || relevance >= WEAK);
  if (!n || n === hits.length || sort.value === "date") return nodes;
  const button = make("button", { type: "button", className: "quiet weak", textContent: say("show_weak", { n: hits.length - n }) });
  const fold = make("li", { className: "fold" }, button);
  button.addEventListener("click", () => {
    fold.replaceWith(...nodes.slice(n));
    nodes[n].focus();
  });
  return [...nodes.slice(0, n), fold];
}

/** Say that no hit is likely to be an answer; they can be looked at all the same. */
function nothingRelevant(nodes) {
  const button = make("button", { type: "button", className: "quiet anyway", textContent: say("show_anyway", { n: nodes.length }) });
  button.addEventListener("click", () => {
    empty.replaceChildren();
    list.replaceChildren(...nodes);
    note.textContent = say("doubtful");
  });
  return [make("p", { textContent: say("nothing_relevant") }), make("p", { className: "soft", textContent: say("none_hint") }), button];
}

function nothingFound(query) {
  const narrowed = where.length || /[:："＂“”]|(^|\s)[-－−]/.test(query);
  return [make("p", { textContent: say("none") }), make("p", { className: "soft", textContent: say(narrowed ? "none_narrow" : "none_hint") })];
}

function showNothing() {
  list.replaceChildren();
  list.removeAttribute("aria-busy");
  status.textContent = note.textContent = "";
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

function addFilter(key, value) {
  if (!where.some((one) => one.key === key && one.value === value)) where.push({ key, value });
  showFilters();
  searchAnew();
}

function showFilters() {
  const chips = where.map(({ key, value }) =>
    removable(`${key}: ${value}`, "filter_remove", () => (where = where.filter((one) => one.key !== key || one.value !== value))),
  );
  if (like) chips.unshift(removable(say("like", { name: like.title || like.id }), "like_remove", () => (like = null)));
  filters.replaceChildren(...chips);
}

function removable(name, label, remove) {
  const chip = make("button", { type: "button", className: "chip on" }, `${name} `, make("span", { textContent: "×" }));
  chip.setAttribute("aria-label", say(label, { name }));
  chip.addEventListener("click", () => {
    remove();
    showFilters();
    searchAnew();
    filterOpen.focus();
  });
  return chip;
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

/** Put the beginning of a phrase, an exclusion or a filter behind what is typed. */
function insert(start) {
  const query = field.value.trim();
  field.value = `${query}${query ? " " : ""}${start}${start === '"' ? '"' : ""}`;
  field.focus();
  if (start === '"') field.setSelectionRange(field.value.length - 1, field.value.length - 1);
  suggestSoon(field, take);
}

function keys(event) {
  if (event.defaultPrevented || event.isComposing || event.ctrlKey || event.metaKey || event.altKey) return;
  if (document.getElementById("search").hidden) return;
  const shown = [...list.querySelectorAll(":scope > .hit")];
  const at = shown.indexOf(document.activeElement?.closest?.(".hit"));
  const typing = document.activeElement?.matches("input, textarea");
  if (event.key === "/" && !typing) focusField(event);
  else if (event.key === "ArrowDown" && (at >= 0 || document.activeElement === field)) move(event, shown, at + 1);
  else if (event.key === "ArrowUp" && at >= 0) at === 0 ? focusField(event) : move(event, shown, at - 1);
  else if (event.key === "Enter" && document.activeElement === shown[at]) shown[at].querySelector(".open").click();
  else if (event.key === "Escape") escape(event, at);
}

function focusField(event) {
  event.preventDefault();
  field.focus();
  field.select();
}

function move(event, shown, to) {
  if (!shown.length) return;
  event.preventDefault();
  const card = shown[Math.min(to, shown.length - 1)];
  card.focus();
  card.scrollIntoView({ block: "nearest" });
}

function escape(event, at) {
  if (at >= 0) return focusField(event);
  if (document.activeElement === field && (field.value || like)) {
    field.value = "";
    clearSuggestions();
    typed();
  }
}

/** Show what the address asks for. */
export function open(parameters) {
  const query = parameters.get("q");
  if (query !== null && query !== field.value.trim()) field.value = query;
  const wanted = document.querySelector(`input[name=mode][value="${CSS.escape(parameters.get("mode") ?? "hybrid")}"]`);
  if (query !== null && wanted) wanted.checked = true;
  if (query !== null) sort.value = parameters.get("sort") === "date" ? "date" : "score";
  search();
}

/** Rewrite everything that depends on the language or on what is served. */
export function refresh() {
  explain(insert);
  clearSuggestions();
  showFilters();
  search();
}

export function start() {
  document.getElementById("ask").addEventListener("submit", (event) => {
    event.preventDefault();
    clearSuggestions();
    search();
  });
  // While kana are still being converted there is no query yet, only keystrokes.
  field.addEventListener("input", (event) => event.isComposing || typed());
  field.addEventListener("compositionend", typed);
  explain(insert);
  for (const choice of [sort, byFile]) choice.addEventListener("change", searchAnew);
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
