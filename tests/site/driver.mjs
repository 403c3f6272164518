// Answers, as JSON on stdout, what a test asks on stdin: { runtime, base, texts, questions, words, k, calls }.
import { readFileSync } from "node:fs";
import { pathToFileURL } from "node:url";

const asked = JSON.parse(readFileSync(0, "utf8"));
const { Site, Highlighter, reader } = await import(pathToFileURL(asked.runtime));
const site = await Site.open(pathToFileURL(`${asked.base}/`));
if (asked.texts || asked.questions || asked.terms) await site.loadMeaning();
const model = site.meaning?.model;
const plain = ({ id, score, relevance, lexical, dense, snippet }) => ({ id, score, relevance, lexical, dense, snippet });
const answer = {};
if (asked.texts) {
  answer.ids = asked.texts.map((text) => Array.from(model.tokenize(text)));
  answer.vectors = asked.vectors ? asked.texts.map((text) => Array.from(model.encode(text))) : [];
}
answer.terms = [];
for (const text of asked.terms ?? []) {
    const prepared = site.language.prepared(text);
    for (const held of [site.dictionary.blocks, site.dictionary.shards]) held.clear(); // nothing of other texts helps
    await site.dictionary.load(prepared);
    const words = site.dictionary.words(prepared).map(({ spelled, spellings }) => [spelled, spellings.map((s) => [s.text, s.share])]);
    answer.terms.push({ words, respelled: site.dictionary.respelled(prepared, (part) => model.encode(part)), ...site.language.terms(prepared), others: Object.fromEntries(site.language.otherSpellings(prepared)) });
}
if (asked.questions) {
  answer.hits = [];
  for (const question of asked.questions) answer.hits.push((await site.search(question, asked.k)).map(plain));
}
if (asked.words) {
  answer.words = [];
  for (const question of asked.words) answer.words.push((await site.searchWords(question, asked.k)).map(plain));
}
if (asked.quick) {
  answer.quick = [];
  for (const question of asked.quick) {
    const names = [];
    const read = reader(pathToFileURL(`${asked.base}/`));
    const never = (name) => (names.push(name), name.startsWith("dictionary-") ? new Promise(() => {}) : read(name));
    const fresh = await Site.open(pathToFileURL(`${asked.base}/`), { read: never });
    const hits = await fresh.searchWords(question, asked.k, { quick: true });
    answer.quick.push({ names, hits: hits.map(plain) });
  }
}
answer.highlights = [];
for (const [text, query] of asked.highlights ?? []) {
  const prepared = site.language.prepared(query);
  await site.dictionary.load(prepared);
  answer.highlights.push(new Highlighter(site.language, query, site.dictionary.words(prepared)).spans(text));
}
process.stdout.write(JSON.stringify(answer));
