// <konayuki-search>: a button and a dialog that search the site in whose folder `konayuki/` this
// file lies. `<script type="module" src="/konayuki/konayuki-search.js" data-auto></script>` is
// enough; without `data-auto`, place the element where the button belongs.
//
// Attributes: lang ("ja" or "en"; default: that of the page), placement ("inline" or "floating"),
// meaning ("auto", "always" or "never"), theme ("auto", "light" or "dark"), hotkey (default "/"),
// base (address of the folder `konayuki/`), root (address that results are relative to).

const HITS = 24;
const PER_PAGE = 3;
const ALWAYS_SHOWN = 5;
const LEAST_SHARE = 0.25; // of the best relevance: what lies below is noise more often than not

const WORDS = {
  ja: {
    open: "検索",
    title: "サイト内検索",
    placeholder: "ことばや質問を入力",
    close: "閉じる",
    results: "検索結果",
    found: (n, pages) => `${pages} ページ、${n} 件`,
    none: "見つかりませんでした。別のことばでお試しください。",
    loading: (share) => `意味で探す準備をしています… ${share} %`,
    words: "ことばで探した結果です",
    failed: "検索を読み込めませんでした。",
    keys: [
      ["↑ ↓", "選ぶ"],
      ["Enter", "開く"],
      ["Esc", "閉じる"],
    ],
  },
  en: {
    open: "Search",
    title: "Search this site",
    placeholder: "Type words or a question",
    close: "Close",
    results: "Results",
    found: (n, pages) => `${n} ${n === 1 ? "result" : "results"} on ${pages} ${pages === 1 ? "page" : "pages"}`,
    none: "Nothing was found. Try other words.",
    loading: (share) => `Getting ready to search by meaning… ${share} %`,
    words: "Found by words",
    failed: "The search could not be loaded.",
    keys: [
      ["↑ ↓", "choose"],
      ["Enter", "open"],
      ["Esc", "close"],
    ],
  },
};

const STYLE = `
:host {
  --accent: var(--konayuki-accent, #2f6f9f);
  --background: var(--konayuki-background, #ffffff);
  --text: var(--konayuki-text, #1c2733);
  --muted: var(--konayuki-muted, #5a6875);
  --border: var(--konayuki-border, #d5dde4);
  --chosen: var(--konayuki-chosen, #eaf2f8);
  --mark: var(--konayuki-mark, #fdeeb0);
  --radius: var(--konayuki-radius, 10px);
  font-family: var(--konayuki-font, system-ui, "Hiragino Sans", "Noto Sans JP", "Noto Sans CJK JP", "Yu Gothic UI", Meiryo, sans-serif);
  font-size: 16px;
  line-height: 1.6;
  display: inline-block;
}
:host([data-dark]) {
  --accent: var(--konayuki-accent, #8cc4ee);
  --background: var(--konayuki-background, #17202a);
  --text: var(--konayuki-text, #e7edf2);
  --muted: var(--konayuki-muted, #a3b1bd);
  --border: var(--konayuki-border, #384653);
  --chosen: var(--konayuki-chosen, #25364a);
  --mark: var(--konayuki-mark, #6b5712);
}
:host([placement="floating"]) { position: fixed; right: 1rem; bottom: 1rem; z-index: 900; }
* { box-sizing: border-box; }
button { font: inherit; cursor: pointer; }
.open {
  display: inline-flex; align-items: center; gap: .5em; padding: .3em .8em; font-size: 14px;
  color: var(--text); background: var(--background); border: 1px solid var(--border); border-radius: 2em;
}
:host([placement="floating"]) .open { padding: .7em 1.2em; box-shadow: 0 3px 14px #0004; }
.open:hover { border-color: var(--accent); }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 1px; }
svg { width: 1.1em; height: 1.1em; flex: none; fill: none; stroke: currentColor; stroke-width: 2; stroke-linecap: round; }
kbd {
  font: 12px/1.4 ui-monospace, monospace; color: var(--muted); border: 1px solid var(--border);
  border-radius: 4px; padding: 0 .4em;
}
dialog {
  color: var(--text); background: var(--background); border: 1px solid var(--border); border-radius: var(--radius);
  width: min(var(--konayuki-width, 44rem), calc(100vw - 2rem)); max-width: none; max-height: min(80vh, 48rem);
  margin: 8vh auto auto; padding: 0; overflow: hidden; box-shadow: 0 12px 60px #0006;
}
dialog[open] { display: flex; flex-direction: column; }
dialog::backdrop { background: #0a121acc; }
form { display: flex; align-items: center; gap: .7rem; margin: 0; padding: .8rem 1rem; border-bottom: 1px solid var(--border); }
form > svg { color: var(--muted); }
input {
  flex: 1; min-width: 0; font: inherit; font-size: 18px; color: inherit; background: transparent; border: 0; outline: 0; padding: .2rem 0;
  appearance: none;
}
input::placeholder { color: var(--muted); opacity: 1; }
input::-webkit-search-cancel-button { display: none; }
input:focus-visible { outline: 0; }
form:focus-within { box-shadow: inset 0 -2px var(--accent); }
.close { color: var(--muted); background: none; border: 1px solid var(--border); border-radius: 6px; font-size: 13px; padding: .15em .7em; }
.status { margin: 0; padding: .35rem 1rem; min-height: 2.1rem; font-size: 13px; color: var(--muted); }
.results { overflow-y: auto; overscroll-behavior: contain; padding: 0 .6rem .6rem; flex: 1 1 auto; }
.results:empty { display: none; }
.group { margin: 0 0 .7rem; content-visibility: auto; contain-intrinsic-size: auto 9rem; }
.page { margin: .3rem .5rem .1rem; font-size: 14px; font-weight: 600; color: var(--accent); overflow-wrap: anywhere; }
.hit {
  display: block; padding: .45rem .7rem; margin: .1rem 0; color: inherit; text-decoration: none;
  border: 1px solid transparent; border-radius: 7px; scroll-margin: 2.4rem;
}
.hit[aria-selected="true"] { background: var(--chosen); border-color: var(--accent); }
.hit:hover { background: var(--chosen); }
.heading { display: block; font-size: 14px; font-weight: 600; overflow-wrap: anywhere; }
.snippet { display: block; font-size: 14px; color: var(--muted); overflow-wrap: anywhere; }
mark { background: var(--mark); color: inherit; border-radius: 2px; padding: 0 1px; }
.snippet mark { color: var(--text); }
.keys { display: flex; gap: 1.2rem; margin: 0; padding: .5rem 1rem; border-top: 1px solid var(--border); font-size: 12px; color: var(--muted); }
@media (max-width: 40rem) {
  dialog { width: 100vw; height: 100dvh; max-height: none; margin: 0; border: 0; border-radius: 0; }
  .keys { display: none; }
}
@media (prefers-reduced-motion: no-preference) { dialog[open] { animation: appear .12s ease-out; } }
@keyframes appear { from { opacity: 0; transform: translateY(-6px); } }
`;

const SVG = "http://www.w3.org/2000/svg";

function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key in element && key !== "role") element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

function lens() {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 24 24");
  svg.setAttribute("aria-hidden", "true");
  const path = document.createElementNS(SVG, "path");
  path.setAttribute("d", "M16 10a6 6 0 1 1-12 0 6 6 0 0 1 12 0ZM14.5 14.5 21 21");
  svg.append(path);
  return svg;
}

/** Return a text as nodes, with the spans marked. */
function marked(text, spans) {
  const nodes = [];
  let done = 0;
  for (const [start, end] of spans) {
    nodes.push(text.slice(done, start), make("mark", {}, text.slice(start, end)));
    done = end;
  }
  nodes.push(text.slice(done));
  return nodes;
}

/** Return the port of a worker that searches, or of the same code in this page. */
async function engine(base) {
  const address = new URL("konayuki-worker.js", base);
  try {
    return await working(new Worker(trusted(address.href), { type: "module" }));
  } catch {
    const { attend } = await import(address.href);
    const { port1, port2 } = new MessageChannel();
    attend(port1, base);
    return port2;
  }
}

/** Return a worker once it has not failed to start. */
function working(worker) {
  return new Promise((resolve, reject) => {
    worker.onerror = (event) => {
      event.preventDefault?.();
      worker.terminate();
      reject(new Error("the worker does not start"));
    };
    worker.onmessage = () => resolve(worker); // it says so when it is ready
  });
}

let policy;
function trusted(address) {
  if (!globalThis.trustedTypes) return address;
  policy ??= trustedTypes.createPolicy("konayuki", { createScriptURL: (url) => url });
  return policy.createScriptURL(address);
}

export class KonayukiSearch extends HTMLElement {
  #port = null;
  #asked = 0;
  #answered = 0;
  #hits = [];
  #stage = "";
  #chosen = -1;
  #scrolled = false;
  #hotkey = (event) => this.#onHotkey(event);

  connectedCallback() {
    if (!this.shadowRoot) this.#build();
    document.addEventListener("keydown", this.#hotkey);
  }

  disconnectedCallback() {
    document.removeEventListener("keydown", this.#hotkey);
  }

  get base() {
    return new URL(this.getAttribute("base") ?? "./", this.hasAttribute("base") ? document.baseURI : import.meta.url);
  }

  get root() {
    return this.hasAttribute("root") ? new URL(this.getAttribute("root"), document.baseURI) : new URL("../", this.base);
  }

  /** Open the dialog, with a question if one is given. */
  open(query) {
    this.#showTheme();
    if (!this.dialog.open) this.dialog.showModal();
    if (query !== undefined) this.input.value = query;
    this.input.select();
    if (this.input.value) this.#ask();
    else this.#connect().then((port) => port.postMessage({}), () => {}); // asking will say what fails
  }

  close() {
    this.dialog.close();
  }

  #build() {
    const page = this.closest("[lang]")?.lang || document.documentElement.lang || navigator.language || "en";
    const language = (this.getAttribute("lang") || page).toLowerCase().startsWith("ja") ? "ja" : "en";
    const say = (this.say = WORDS[language]);
    const shadow = this.attachShadow({ mode: "open" });
    const sheet = new CSSStyleSheet(); // a policy against inline styles does not concern it
    sheet.replaceSync(STYLE);
    shadow.adoptedStyleSheets = [sheet];
    this.opener = make("button", { type: "button", className: "open", "aria-haspopup": "dialog" }, lens(), say.open);
    if (this.#key) this.opener.append(make("kbd", { "aria-hidden": "true" }, this.#key));
    this.input = make("input", {
      type: "search",
      placeholder: say.placeholder,
      role: "combobox",
      autocomplete: "off",
      spellcheck: false,
      enterKeyHint: "go",
      "aria-label": say.title,
      "aria-expanded": "false",
      "aria-controls": "results",
      "aria-autocomplete": "list",
    });
    this.input.setAttribute("autocapitalize", "off");
    const shut = make("button", { type: "button", className: "close" }, say.close);
    const form = make("form", { role: "search" }, lens(), this.input, shut);
    this.status = make("p", { className: "status", role: "status" });
    this.results = make("div", { className: "results", id: "results", role: "listbox", "aria-label": say.results });
    const keys = say.keys.map(([key, what]) => make("span", {}, make("kbd", {}, key), ` ${what}`));
    this.dialog = make("dialog", { "aria-label": say.title }, form, this.status, this.results);
    this.dialog.append(make("p", { className: "keys", "aria-hidden": "true" }, ...keys));
    this.dialog.lang = language;
    shadow.append(this.opener, this.dialog);
    this.#listen(form, shut);
    this.#showTheme();
  }

  #listen(form, shut) {
    this.opener.addEventListener("click", () => this.open());
    shut.addEventListener("click", () => this.close());
    form.addEventListener("submit", (event) => event.preventDefault());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.close());
    // While kana are being converted there is no question yet, only keystrokes.
    this.input.addEventListener("input", (event) => event.isComposing || this.#ask());
    this.input.addEventListener("compositionend", () => this.#ask());
    this.results.addEventListener("scroll", () => (this.#scrolled = true), { passive: true });
    this.input.addEventListener("keydown", (event) => this.#onKey(event));
  }

  get #key() {
    return this.getAttribute("hotkey") ?? "/";
  }

  #onHotkey(event) {
    if (event.defaultPrevented || isComposing(event) || this.dialog.open) return;
    const [target] = event.composedPath();
    const typing = target instanceof HTMLElement && (target.isContentEditable || target.matches("input, textarea, select"));
    const command = (event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k";
    const key = event.key === this.#key && !event.ctrlKey && !event.metaKey && !event.altKey && !typing;
    if (!command && !key) return;
    event.preventDefault();
    event.stopImmediatePropagation();
    this.open();
  }

  #onKey(event) {
    if (isComposing(event)) return; // Enter and arrows belong to the conversion
    const steps = { ArrowDown: this.#chosen + 1, ArrowUp: this.#chosen - 1, PageDown: this.#chosen + 5, PageUp: this.#chosen - 5 };
    if (event.key in steps) {
      event.preventDefault();
      this.#choose(Math.max(-1, Math.min(this.#options.length - 1, steps[event.key])));
    } else if (event.key === "Escape") {
      event.preventDefault(); // Chromium would only clear the field
      this.close();
    } else if (event.key === "Enter") {
      event.preventDefault();
      this.#options[Math.max(0, this.#chosen)]?.dispatchEvent(
        new MouseEvent("click", { bubbles: true, cancelable: true, composed: true, ctrlKey: event.ctrlKey, metaKey: event.metaKey }),
      );
    }
  }

  get #options() {
    return [...this.results.querySelectorAll(".hit")];
  }

  #choose(place) {
    const options = this.#options;
    options[this.#chosen]?.setAttribute("aria-selected", "false");
    this.#chosen = place;
    const option = options[place];
    option?.setAttribute("aria-selected", "true");
    option?.scrollIntoView({ block: "nearest" });
    if (option) this.input.setAttribute("aria-activedescendant", option.id);
    else this.input.removeAttribute("aria-activedescendant");
  }

  async #ask() {
    const query = this.input.value;
    const id = ++this.#asked;
    if (!query.trim()) return this.#clear();
    try {
      const port = await this.#connect();
      if (id === this.#asked) port.postMessage({ id, query, k: HITS, meaning: this.getAttribute("meaning") ?? "auto" });
    } catch {
      this.status.textContent = this.say.failed;
    }
  }

  /** Return the port of the engine, which starts with the first call. */
  #connect() {
    if (!this.#port) {
      this.#port = engine(this.base).then((port) => {
        port.onmessage = ({ data }) => this.#take(data);
        return port;
      });
      this.#port.catch(() => (this.#port = null));
    }
    return this.#port;
  }

  #clear() {
    this.#hits = [];
    this.#show();
    this.status.textContent = "";
  }

  #take({ id, stage, hits, last, error, loaded, total }) {
    if (total) {
      if (this.#stage === "words") this.status.textContent = this.say.loading(Math.floor((100 * loaded) / total));
      return;
    }
    if (id !== this.#asked) return;
    if (error) {
      this.#clear();
      this.status.textContent = this.say.failed;
      return;
    }
    // Whoever has already chosen a result keeps the list in front of them.
    const moved = this.#answered === id && this.#chosen >= 0;
    this.#answered = id;
    this.#stage = last ? "" : "words";
    if (moved) return;
    const floor = LEAST_SHARE * Math.max(0, ...hits.map(({ relevance }) => relevance ?? 0));
    this.#hits = hits.filter(({ relevance }, place) => place < ALWAYS_SHOWN || (relevance ?? floor) >= floor);
    this.#show();
    const pages = new Set(this.#hits.map(({ url }) => url)).size;
    const shown = this.#options.length;
    this.status.textContent = hits.length ? this.say.found(shown, pages) : last ? this.say.none : "";
    this.dispatchEvent(new CustomEvent("konayuki-hits", { detail: { stage, hits, last } }));
  }

  #show() {
    const groups = new Map();
    for (const hit of this.#hits) {
      const group = groups.get(hit.url) ?? groups.set(hit.url, []).get(hit.url);
      if (group.length < PER_PAGE) group.push(hit);
    }
    let number = 0;
    const nodes = [...groups.values()].map((hits, at) => {
      const title = make("p", { className: "page", id: `page-${at}` }, hits[0].title || hits[0].url);
      const options = hits.map((hit) => this.#option(hit, number++));
      return make("div", { className: "group", role: "group", "aria-labelledby": `page-${at}` }, title, ...options);
    });
    this.results.replaceChildren(...nodes);
    if (this.#scrolled) this.results.scrollTop = 0; // makes the browser lay out the page at once
    this.#scrolled = false;
    this.#chosen = -1;
    this.input.removeAttribute("aria-activedescendant");
    this.input.setAttribute("aria-expanded", String(nodes.length > 0));
  }

  #option(hit, number) {
    const link = make("a", { className: "hit", role: "option", id: `hit-${number}`, tabIndex: -1, "aria-selected": "false" });
    const address = this.#addressOf(hit);
    if (address) link.href = address;
    if (hit.heading) link.append(make("span", { className: "heading" }, hit.heading.replaceAll(" > ", " › ")));
    link.append(make("span", { className: "snippet" }, ...marked(hit.snippet.text, hit.snippet.spans)));
    link.addEventListener("click", (event) => event.ctrlKey || event.metaKey || event.shiftKey || this.close());
    return link;
  }

  /** Return the address of a hit, "" if it is none that a page may lead to. */
  #addressOf({ url, anchor }) {
    try {
      const address = new URL(url, this.root);
      if (!["http:", "https:", "file:"].includes(address.protocol)) return "";
      if (anchor) address.hash = anchor;
      return address.href;
    } catch {
      return "";
    }
  }

  /** Be dark where the page is: themes have switches of their own. */
  #showTheme() {
    const theme = this.getAttribute("theme") ?? "auto";
    this.toggleAttribute("data-dark", theme === "dark" || (theme === "auto" && pageIsDark()));
  }
}

// Safari ends a composition before the keydown of its Enter, which then has only this code.
const isComposing = (event) => event.isComposing || event.keyCode === 229;

function pageIsDark() {
  for (const element of [document.body, document.documentElement]) {
    const [red, green, blue, alpha = 1] = (getComputedStyle(element).backgroundColor.match(/[\d.]+/g) ?? []).map(Number);
    if (alpha > 0 && blue !== undefined) return 0.299 * red + 0.587 * green + 0.114 * blue < 128;
  }
  return matchMedia("(prefers-color-scheme: dark)").matches;
}

// Where the button belongs in the themes of common generators; elsewhere it floats.
const PLACES = [
  [".md-header__inner", "beforeend"], // Material for MkDocs
  [".wy-side-nav-search", "beforeend"], // Read the Docs
  [".sidebar-brand", "afterend"], // Furo
  [".navbar-header-items__end", "afterbegin"], // PyData
  [".navbar__items--right", "afterbegin"], // Docusaurus
  ["#navbar-collapse", "beforeend"], // MkDocs
  [".sphinxsidebarwrapper", "afterbegin"], // Alabaster, classic
];

/** Put the element where the theme of the page shows it, unless the page has one of its own. */
export function mount() {
  if (document.querySelector("konayuki-search")) return;
  const element = make("konayuki-search");
  place(element);
  addEventListener("resize", () => element.dialog.open || place(element)); // sidebars come and go
}

function place(element) {
  const shown = ([selector]) => {
    const box = document.querySelector(selector)?.getBoundingClientRect();
    return box && box.width > 0 && box.right > 0 && box.left < innerWidth;
  };
  const [selector, where] = PLACES.find(shown) ?? ["body", "beforeend"];
  if (element.dataset.place === selector) return;
  element.dataset.place = selector;
  element.setAttribute("placement", selector === "body" ? "floating" : "inline");
  document.querySelector(selector).insertAdjacentElement(where, element);
}

if (!customElements.get("konayuki-search")) customElements.define("konayuki-search", KonayukiSearch);
if (document.querySelector("script[data-auto][src*='konayuki-search.js']")) mount();
