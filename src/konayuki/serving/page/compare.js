// The playground: sentences in, a heat map of how close they are in meaning out.

import { debounce, make } from "./elements.js";
import { say } from "./i18n.js";
import { ServiceError, call } from "./service.js";

const PAUSE_MS = 150;
const MOST = 32;

const field = document.getElementById("sentences");
const table = document.getElementById("map");
const status = document.getElementById("compare-status");

let running = null;

async function compare() {
  running?.abort();
  const sentences = field.value.split("\n").map((line) => line.trim()).filter(Boolean);
  const wrong = sentences.length < 2 ? say("two") : sentences.length > MOST ? say("too_many", { n: MOST }) : "";
  status.textContent = wrong;
  if (wrong) return table.replaceChildren();
  const mine = (running = new AbortController());
  try {
    const answer = await call("POST", "similarity", { sentences }, mine.signal);
    if (running === mine) table.replaceChildren(...map(sentences, answer.similarity));
  } catch (error) {
    if (error instanceof ServiceError) status.textContent = say("failed", { why: error.message });
    else if (error.name !== "AbortError") throw error;
  }
}

function map(sentences, rows) {
  const numbers = sentences.map((text, i) => make("th", { scope: "col", textContent: i + 1, title: text }));
  const head = make("tr", {}, make("td"), ...numbers);
  const body = rows.map((row, i) => {
    const name = make("th", { scope: "row" }, make("span", { className: "number", textContent: i + 1 }), make("span", { textContent: sentences[i] }));
    return make("tr", {}, name, ...row.map((value, j) => cell(value, sentences[i], sentences[j])));
  });
  return [make("caption", { className: "hidden", textContent: say("map") }), make("thead", {}, head), make("tbody", {}, ...body)];
}

function cell(value, one, other) {
  const node = make("td", { textContent: (Math.round(value * 100) / 100 || 0).toFixed(2), title: `${one}\n${other}` });
  node.style.setProperty("--heat", Math.max(0, value).toFixed(3));
  node.classList.toggle("hot", value > 0.55);
  return node;
}

export function refresh() {
  if (!field.value.trim()) field.value = say("sample");
  compare();
}

export function start() {
  field.addEventListener("input", debounce(compare, PAUSE_MS));
}
