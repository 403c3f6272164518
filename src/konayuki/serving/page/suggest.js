// How the query may go on, below the field; and how queries can be written.

import { debounce, make } from "./elements.js";
import { say } from "./i18n.js";
import { ServiceError, call } from "./service.js";
import { service } from "./state.js";

const PAUSE_MS = 80;
const MOST = 6;
const EXAMPLES = ['"', "-", "tag:", "path:", "kind:", "after:", "before:"];

const row = document.getElementById("suggestions");
const help = document.getElementById("syntax");
const helpOpen = document.getElementById("syntax-open");

let running = null;

/** Offer what the text in a field may become; `take` is called with the choice. */
async function suggest(field, take) {
  running?.abort();
  const typed = field.value;
  if (!typed.trim() || !service.documents) return row.replaceChildren();
  const mine = (running = new AbortController());
  try {
    const answer = await call("GET", `suggest?${new URLSearchParams({ q: typed, k: MOST })}`, undefined, mine.signal);
    if (running !== mine) return;
    const choices = answer.suggestions.filter(({ text }) => text !== typed.trim());
    row.replaceChildren(...choices.map(({ text, source }) => choice(text, source, take)));
  } catch (error) {
    if (!(error instanceof ServiceError) && error.name !== "AbortError") throw error;
  }
}

function choice(text, source, take) {
  const button = make("button", { type: "button", className: `suggestion ${source}`, textContent: text });
  button.title = say(`from_${source}`);
  button.addEventListener("click", () => {
    row.replaceChildren();
    take(text);
  });
  return button;
}

export const suggestSoon = debounce(suggest, PAUSE_MS);

export function clearSuggestions() {
  running?.abort();
  running = null;
  row.replaceChildren();
}

/** Write the rules of queries; each can be pressed and then stands in the field. */
export function explain(insert) {
  help.replaceChildren(
    ...EXAMPLES.map((start) => {
      const name = start === '"' ? "phrase" : start === "-" ? "minus" : start.slice(0, -1);
      const button = make("button", { type: "button", className: "example", textContent: say(`syntax_${name}`) });
      button.addEventListener("click", () => insert(start));
      return make("li", {}, button, make("span", { textContent: say(`syntax_${name}_why`) }));
    }),
  );
}

helpOpen.addEventListener("click", () => {
  help.hidden = !help.hidden;
  helpOpen.setAttribute("aria-expanded", String(!help.hidden));
});
