// One card for each hit: where it stands, what it says, why it was found, and what can be done with it.

import { make } from "./elements.js";
import { day, say } from "./i18n.js";
import { call } from "./service.js";
import { facts, service } from "./state.js";

const SHOWN_ELSEWHERE = new Set(["path", "page", "line", "slide", "sheet", "row", "time", "keywords", "date", "日付"]);
const LONGEST_FACT = 60; // characters; what is longer is no use as a filter
const MOST_FACTS = 8;

/**
 * Return the cards of hits.
 * `acts` holds what a card asks of the search: ask(addition), filter(key, value), similar(hit), changed(), fail(error).
 */
export function cards(hits, query, acts) {
  const all = hits.flatMap((hit) => [hit, ...hit.others]);
  const strongest = Math.max(...all.map((hit) => hit.lexical ?? 0), 1e-9);
  return hits.map((hit) => card(hit, { query, strongest, acts }));
}

function card(hit, context) {
  const { acts } = context;
  const body = make("p", { className: "snippet" }, ...pieces(hit.snippet));
  const what = make("div", { className: "what" }, place(hit, acts), heading(hit), body, chips(hit, acts));
  const item = make("li", { className: "hit", tabIndex: -1 }, what, reasons(hit, context.strongest));
  what.append(
    make(
      "div",
      { className: "acts" },
      switching("open", say("open_text"), (open) => showWhole(open, body, hit, context)),
      neighbours(hit, body, context),
      pressing("like", say("similar"), () => acts.similar(hit)),
      opening(hit, acts),
      removal(hit, item, acts),
    ),
  );
  if (hit.more) what.append(others(hit, context));
  return item;
}

/** Return text nodes and marks for the pieces of a text. */
export function pieces(segments) {
  return segments.map(({ text, match }) => (match ? make("mark", { textContent: text }) : document.createTextNode(text)));
}

function heading(hit) {
  // The line above names the folder of a file already.
  const name = typeof hit.metadata.path === "string" ? hit.id.split(/[/\\]/).pop() : hit.id;
  const title = make("h2", {}, ...(hit.title ? pieces(hit.title_pieces) : [name]));
  return hit.heading ? make("hgroup", {}, title, make("p", { textContent: hit.heading })) : title;
}

/** Return the line that says where a passage stands: folder (a filter), file, page or line, date. */
function place(hit, acts) {
  const line = make("p", { className: "place" });
  const path = hit.metadata.path;
  if (typeof path === "string" && hit.place.startsWith(path)) {
    const name = path.split(/[/\\]/).pop();
    const folder = path.slice(0, path.length - name.length);
    if (folder) {
      const button = pressing("folder", folder, () => acts.ask(`path:${quoted(folder)}`));
      button.setAttribute("aria-label", say("only_folder", { name: folder }));
      line.append(button);
    }
    line.append(make("span", { className: "file", textContent: name + hit.place.slice(path.length) }));
  }
  if (hit.date) line.append(make("time", { dateTime: hit.date, textContent: day(hit.date) }));
  return line.childNodes.length ? line : null;
}

/** Return a text as the value of a filter in a query. */
export const quoted = (text) => (/^[^\s"＂“”„‟\\,，、]+$/.test(text) ? text : `"${text.replace(/["＂“”„‟\\]/g, "\\$&")}"`);

function chips(hit, acts) {
  const shown = facts(hit.metadata).filter(
    ({ key, value }) => !SHOWN_ELSEWHERE.has(key) && value !== null && String(value).length <= LONGEST_FACT,
  );
  const nodes = shown.slice(0, MOST_FACTS).map(({ key, value }) => {
    const name = `${key}: ${value}`;
    const chip = pressing("chip", name, () => acts.filter(key, value));
    chip.setAttribute("aria-label", say("filter_by", { name }));
    return chip;
  });
  return nodes.length ? make("div", { className: "chips" }, ...nodes) : null;
}

/** Return what speaks for a hit: relevance, words against the best hit, meaning, and the parts of the score. */
function reasons(hit, strongest) {
  const node = make("div", { className: "reasons" });
  if (hit.lexical === null && hit.dense === null) return node;
  if (hit.relevance !== null) node.append(reason("relevance", hit.relevance, hit.relevance, 2));
  node.append(
    reason("words", hit.lexical, hit.lexical === null ? 0 : hit.lexical / strongest, 2),
    reason("meaning", hit.dense, Math.max(0, hit.dense ?? 0), 3),
  );
  if (Object.keys(hit.parts).length > 1) node.append(parts(hit.parts));
  return node;
}

function reason(name, value, share, digits) {
  const shown = value === null ? "–" : value.toFixed(digits);
  const bar = make("span", { className: `part ${name}` }, make("i"));
  bar.firstChild.style.setProperty("--share", share.toFixed(3));
  const line = make("span", { className: "reason", title: say(`${name}_why`, { value: shown }) });
  line.append(make("span", { className: "label", textContent: say(name) }), bar, make("span", { className: "number", textContent: shown }));
  return line;
}

function parts(values) {
  const rows = Object.entries(values).map(([name, value]) =>
    make("tr", {}, make("th", { scope: "row", textContent: say(`part_${name}`) }), make("td", { textContent: (value >= 0 ? "+" : "−") + Math.abs(value).toFixed(2) })),
  );
  return make("details", { className: "parts" }, make("summary", { textContent: say("parts") }), make("table", {}, make("tbody", {}, ...rows)));
}

function pressing(className, text, act) {
  const button = make("button", { type: "button", className: className === "chip" ? "chip" : `quiet ${className}`, textContent: text });
  button.addEventListener("click", act);
  return button;
}

/** Return a button that is on or off; `act` is told which. */
function switching(className, text, act) {
  const button = pressing(className, text, () => {
    const open = button.getAttribute("aria-expanded") === "false";
    button.setAttribute("aria-expanded", String(open));
    act(open);
  });
  button.setAttribute("aria-expanded", "false");
  return button;
}

async function marked(texts, query) {
  return (await call("POST", "mark", { query, texts })).texts;
}

async function showWhole(open, body, hit, { query, acts }) {
  body.classList.toggle("whole", open);
  body.replaceChildren(...(open ? [hit.text] : pieces(hit.snippet)));
  if (!open) return;
  try {
    const [whole] = await marked([hit.text], query);
    if (body.classList.contains("whole")) body.replaceChildren(...pieces(whole));
  } catch (error) {
    acts.fail(error);
  }
}

/** Return the button that shows the passages before and behind a hit. */
function neighbours(hit, body, { query, acts }) {
  if (hit.document === hit.id) return null;
  const shown = [];
  return switching("near", say("neighbours"), async (open) => {
    while (shown.length) shown.pop().remove();
    if (!open) return;
    try {
      const answer = await call("GET", `context?${new URLSearchParams({ id: hit.id, q: query })}`);
      shown.push(neighbour(answer.before, "no_before"), neighbour(answer.behind, "no_behind"));
      body.before(shown[0]);
      body.after(shown[1]);
    } catch (error) {
      acts.fail(error);
    }
  });
}

function neighbour([passage], missing) {
  const content = passage ? pieces(passage.text) : [say(missing)];
  return make("p", { className: "neighbour" }, ...content);
}

/** Return the other hits of the same file, folded away. */
function others(hit, context) {
  const list = make("ol", { className: "others", hidden: true });
  const fold = switching("fold", say("more_in_file", { n: hit.more }), (open) => {
    list.hidden = !open;
    if (!open || list.children.length) return;
    list.append(...hit.others.map((other) => small(other, context)));
    if (hit.more > hit.others.length && typeof hit.metadata.path === "string")
      list.append(make("li", {}, pressing("all", say("all_in_file"), () => context.acts.ask(`path:${quoted(hit.metadata.path)}`))));
  });
  return make("div", { className: "in-file" }, fold, list);
}

function small(hit, { query, acts }) {
  const body = make("p", { className: "snippet" }, ...pieces(hit.snippet));
  const where = [hit.heading, hit.place.slice(String(hit.metadata.path ?? hit.document).length).replace(/^:/, say("line"))].filter(Boolean).join(" · ");
  const open = switching("open", say("open_text"), (whole) => showWhole(whole, body, hit, { query, acts }));
  return make("li", {}, where ? make("p", { className: "place", textContent: where }) : null, body, make("div", { className: "acts" }, open));
}

/** Return a button that opens the file of a hit on the machine of the server, if it does that. */
function opening(hit, acts) {
  if (!service.opens_files || typeof hit.metadata.path !== "string") return null;
  return pressing("file-open", say("open_file"), () => call("POST", "open", { id: hit.id }).catch(acts.fail));
}

/** Return the button that removes a document, at the second press. */
function removal(hit, item, acts) {
  if (!service.writable) return null;
  const button = pressing("remove", say("remove"), async () => {
    if (!button.classList.contains("sure")) {
      button.classList.add("sure");
      button.textContent = say("remove_sure");
      return;
    }
    try {
      const answer = await call("DELETE", `documents/${encodeURIComponent(hit.id)}`);
      service.update({ documents: answer.documents });
      item.remove();
      acts.removed(hit);
    } catch (error) {
      acts.fail(error);
    }
  });
  button.addEventListener("blur", () => {
    button.classList.remove("sure");
    button.textContent = say("remove");
  });
  return button;
}
