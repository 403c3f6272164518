// Answers, as JSON on stdout, what a test asks on stdin: { runtime, base, texts, questions, words, k, calls }.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const asked = JSON.parse(readFileSync(0, "utf8"));
const { Site, Highlighter } = await import(pathToFileURL(asked.runtime));
const site = await Site.open(pathToFileURL(`${asked.base}/`));
if (asked.texts || asked.questions) await site.loadMeaning();
const model = site.meaning?.model;
const plain = ({ id, score, relevance, lexical, dense, snippet }) => ({ id, score, relevance, lexical, dense, snippet });
const answer = {};
if (asked.texts) {
  answer.ids = asked.texts.map((text) => Array.from(model.tokenize(text)));
  answer.vectors = asked.vectors ? asked.texts.map((text) => Array.from(model.encode(text))) : [];
}
if (asked.terms)
  answer.terms = asked.terms.map((text) => {
    const prepared = site.language.prepared(text);
    return { ...site.language.terms(prepared), others: Object.fromEntries(site.language.otherSpellings(prepared)) };
  });
if (asked.questions) {
  answer.hits = [];
  for (const question of asked.questions) answer.hits.push((await site.search(question, asked.k)).map(plain));
}
if (asked.words) {
  answer.words = [];
  for (const question of asked.words) answer.words.push((await site.searchWords(question, asked.k)).map(plain));
}
if (asked.highlights)
  answer.highlights = asked.highlights.map(([text, query]) => new Highlighter(site.language, query).spans(text));
process.stdout.write(JSON.stringify(answer));
