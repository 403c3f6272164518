// Asks search libraries of npm, for site.py: reads { modules, pages, questions, runtime, sites } from
// the file named first, writes the ten best page ids of every question by library as JSON to stdout.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const asked = JSON.parse(readFileSync(process.argv[2], "utf8"));
const require = createRequire(`${asked.modules}/`);
const K = 10;

const segmenter = new Intl.Segmenter("ja", { granularity: "word" });
const words = (text) =>
  Array.from(segmenter.segment(text.normalize("NFKC").toLowerCase()))
    .filter(({ isWordLike }) => isWordLike)
    .map(({ segment }) => segment);

function lunr() {
  const lunr = require("lunr");
  require("lunr-languages/lunr.stemmer.support")(lunr);
  require("lunr-languages/tinyseg")(lunr);
  require("lunr-languages/lunr.ja")(lunr);
  const index = lunr(function () {
    this.use(lunr.ja);
    this.ref("id");
    this.field("title");
    this.field("text");
    for (const page of asked.pages) this.add(page);
  });
  const bytes = JSON.stringify(index).length;
  // The Japanese tokenizer of lunr-languages cuts the question, too; each word may be missing.
  const search = (question) =>
    index
      .query((query) => {
        for (const token of lunr.ja.tokenizer(question)) query.term(token.toString());
      })
      .map(({ ref }) => ref);
  return { bytes, search };
}

function minisearch() {
  const MiniSearch = require("minisearch").default ?? require("minisearch");
  const index = new MiniSearch({ fields: ["title", "text"], tokenize: words });
  index.addAll(asked.pages);
  return { bytes: JSON.stringify(index).length, search: (question) => index.search(question).map(({ id }) => id) };
}

function flexsearch() {
  const { Index } = require("flexsearch");
  const index = new Index({ tokenize: "forward", encode: words });
  for (const { id, title, text } of asked.pages) index.add(id, `${title} ${text}`);
  let bytes = 0;
  index.export((_, data) => (bytes += data?.length ?? 0));
  return { bytes, search: (question) => index.search(question, { limit: K, suggest: true }) };
}

const answer = {};
for (const [name, make] of Object.entries({ lunr, minisearch, flexsearch })) {
  const { bytes, search } = make();
  const ranked = asked.questions.map((question) => {
    try {
      return search(question).slice(0, K);
    } catch (error) {
      return []; // a question that its parser refuses
    }
  });
  answer[name] = { ranked, bytes };
}
const { Site } = await import(pathToFileURL(asked.runtime));
for (const [name, folder] of Object.entries(asked.sites)) {
  const site = await Site.open(pathToFileURL(`${folder}/`));
  const [ranked, alone] = [[], []];
  for (const question of asked.questions) {
    ranked.push((await site.search(question, K)).map(({ id }) => id));
    alone.push((await site.searchWords(question, K)).map(({ id }) => id));
  }
  answer[name] = { ranked };
  answer.words ??= { ranked: alone };
}
process.stdout.write(JSON.stringify(answer));
