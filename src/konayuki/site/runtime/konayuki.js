// Hybrid search over the files that `konayuki site` writes: the same terms, token ids, scores and
// ranking as the Python package, within rounding. For browsers, workers and Node 20 or later.
//
//     import { Site } from "./konayuki.js";
//     const site = await Site.open(new URL("./", import.meta.url));
//     const hits = await site.search("眠れない夜");
//
// The file formats are described in docs/reference/formats.md ("Files of a site").

export const FORMAT = 2;

const decoder = new TextDecoder();
const encoder = new TextEncoder();
const TYPES = { U8: Uint8Array, I8: Int8Array, I32: Int32Array, U32: Uint32Array, F32: Float32Array, F64: Float64Array };
const MOST_COSINES = 96; // question tokens whose cosines are remembered, 128 KB each
const MOST_SHARDS = 512; // remembered

/** Raised if a file of the site is missing, of another format, or damaged. */
export class SiteError extends Error {
  constructor(message, { status = 0, cause } = {}) {
    super(message, { cause });
    this.name = "SiteError";
    this.status = status;
  }
}

// ---- Files ----

/** Return a function that gives the bytes of a file below `base`; in Node also of `file:` addresses. */
export function reader(base) {
  const root = new URL(base);
  return async (name, { fresh = false } = {}) => {
    const url = new URL(name, root);
    if (url.protocol === "file:" && globalThis.process?.versions?.node) {
      const { readFile } = await import("node:fs/promises");
      return new Uint8Array(await readFile(url));
    }
    let answer;
    try {
      answer = await fetch(url, { cache: fresh ? "no-cache" : "default", credentials: "same-origin" });
    } catch (cause) {
      throw new SiteError(`${url.pathname} cannot be loaded`, { cause });
    }
    if (!answer.ok) throw new SiteError(`${url.pathname}: status ${answer.status}`, { status: answer.status });
    return new Uint8Array(await answer.arrayBuffer());
  };
}

/** Return the content of a zlib stream. */
export async function inflate(bytes) {
  const { readable, writable } = new DecompressionStream("deflate"); // a Blob would ask another process
  const writer = writable.getWriter();
  writer.write(bytes).catch(() => {}); // whoever reads is told
  writer.close().catch(() => {});
  return new Uint8Array(await new Response(readable).arrayBuffer());
}

/** Return the arrays of a container (safetensors in a zlib stream) by name, text as bytes. */
export async function unpack(bytes) {
  const { buffer } = await inflate(bytes);
  const headerSize = Number(new DataView(buffer).getBigUint64(0, true));
  const header = JSON.parse(decoder.decode(new Uint8Array(buffer, 8, headerSize)));
  const arrays = {};
  for (const [name, { dtype, data_offsets: offsets }] of Object.entries(header)) {
    if (name === "__metadata__") continue;
    const [start, end] = offsets.map((offset) => 8 + headerSize + offset);
    arrays[name] = new TYPES[dtype](buffer.slice(start, end));
  }
  return arrays;
}

const asJson = (bytes) => JSON.parse(decoder.decode(bytes));

/** Reads LEB128 numbers one after the other. */
class Varints {
  constructor(bytes, at = 0) {
    this.bytes = bytes;
    this.at = at;
  }

  next() {
    let value = 0;
    for (let power = 1; ; power *= 128) {
      const byte = this.bytes[this.at++];
      value += (byte & 127) * power;
      if (byte < 128) return value;
    }
  }

  /** Return a name of so many UTF-16 units: ASCII takes a byte, kana and kanji two, others three. */
  name(size) {
    const { bytes } = this;
    let name = "";
    for (; size > 0; size--) {
      let unit = bytes[this.at++];
      if (unit === 0xff) unit = (bytes[this.at++] << 8) | bytes[this.at++];
      else if (unit >= 0x80) unit = 0x3000 + (((unit & 0x7f) << 8) | bytes[this.at++]);
      name += String.fromCharCode(unit);
    }
    return name;
  }

  /** Return all numbers that are left. */
  rest() {
    const values = [];
    while (this.at < this.bytes.length) values.push(this.next());
    return values;
  }
}

// ---- Tokenizer ----

/** A Unigram tokenizer: text to the ids that the Python package gives. */
export class Tokenizer {
  /** @param {object} arrays the container of a model */
  constructor(arrays) {
    const rules = asJson(arrays.tokenizer);
    this.unknown = rules.unk_id;
    this.steps = rules.steps.map((step) => normalizer(step, rules, arrays));
    this.words = pretokenizer(rules.pretokenizer, rules.white_space);
    const pieces = asJson(arrays.pieces);
    this.size = pieces.length;
    let lowest = Infinity;
    for (const score of arrays.scores) lowest = Math.min(lowest, score);
    this.unknownScore = lowest - rules.unknown_penalty;
    this.prefixes = this.#prefixes(pieces, arrays.scores);
  }

  /** Return the ids of a text. */
  encode(text) {
    text = text.toWellFormed?.() ?? text;
    for (const step of this.steps) text = step(text);
    const ids = [];
    for (const word of this.words(text)) this.#segment(word, ids);
    return Int32Array.from(ids);
  }

  /** Return every prefix of a piece with [score, id]; one that is no piece has minus infinity. */
  #prefixes(pieces, scores) {
    const prefixes = new Map();
    for (const piece of pieces) {
      const characters = Array.from(piece);
      for (let length = characters.length - 1; length > 0; length--) {
        const prefix = characters.slice(0, length).join("");
        if (prefixes.has(prefix)) break; // and so are all the shorter ones
        prefixes.set(prefix, [length > 1 ? -Infinity : this.unknownScore, this.unknown]);
      }
    }
    pieces.forEach((piece, id) => prefixes.set(piece, [scores[id], id]));
    return prefixes;
  }

  /** Viterbi in float64: sums from left to right; of equal ones the longer last piece wins. */
  #segment(word, ids) {
    const length = word.length;
    const best = new Float64Array(length + 1).fill(-Infinity);
    const arrivalIds = new Int32Array(length + 1);
    const arrivalStarts = new Int32Array(length + 1);
    best[0] = 0;
    for (let start = 0; start < length; start = next(word, start)) {
      const score = best[start];
      let end = next(word, start);
      let entry = this.prefixes.get(word.slice(start, end)) ?? [this.unknownScore, this.unknown];
      for (;;) {
        if (entry[0] + score - best[end] > 0) {
          best[end] = entry[0] + score;
          arrivalIds[end] = entry[1];
          arrivalStarts[end] = start;
        }
        if (end >= length) break;
        end = next(word, end);
        entry = this.prefixes.get(word.slice(start, end));
        if (entry === undefined) break;
      }
    }
    const path = [];
    for (let end = length; end > 0; end = arrivalStarts[end]) {
      const start = arrivalStarts[end];
      // Neighbouring unknown characters are one token.
      const continues = arrivalIds[end] === this.unknown && start > 0 && arrivalIds[start] === this.unknown;
      if (!continues) path.push(arrivalIds[end]);
    }
    for (let place = path.length - 1; place >= 0; place--) ids.push(path[place]);
  }
}

/** Return the offset behind the character at an offset. */
function next(text, at) {
  const code = text.charCodeAt(at);
  return at + (code >= 0xd800 && code < 0xdc00 && at + 1 < text.length ? 2 : 1);
}

/** Return the function of one step of a normaliser. */
function normalizer(step, rules, arrays) {
  const space = `[${rules.white_space}]`;
  switch (step.type) {
    case "NFC":
    case "NFD":
    case "NFKC":
    case "NFKD":
      return unicodeForm(step.type, rules.young);
    case "Lowercase": // a capital sigma at the end of a word is lowered like any other
      return (text) => text.replaceAll("Σ", "σ").toLowerCase();
    case "Strip": {
      const left = new RegExp(`^${space}+`, "u");
      const right = new RegExp(`${space}+$`, "u");
      return (text) => {
        if (step.strip_left) text = text.replace(left, "");
        return step.strip_right ? text.replace(right, "") : text;
      };
    }
    case "Replace": {
      const { String: literal, Regex: pattern } = step.pattern;
      const what = literal ?? new RegExp(pattern === "\\s+" ? `${space}+` : pattern, "gu");
      return (text) => text.replaceAll(what, () => step.content);
    }
    case "Prepend":
      return (text) => (text ? step.prepend + text : text);
    case "Precompiled": {
      const map = new CharacterMap(arrays[step.map], rules);
      return (text) => map.apply(text);
    }
    default:
      throw new SiteError(`a normaliser of the type ${step.type}: expected one that Python wrote`);
  }
}

/** Return a Unicode form that leaves alone what is younger than the tokenizer's Unicode. */
function unicodeForm(form, young) {
  const parts = new RegExp(`([${young}])`, "u");
  return (text) => {
    if (!parts.test(text)) return text.normalize(form);
    return text
      .split(parts)
      .map((part, place) => (place % 2 ? part : part.normalize(form)))
      .join("");
  };
}

/** The character map of SentencePiece: a double-array trie of UTF-8 strings to replacements. */
class CharacterMap {
  constructor(content, rules) {
    const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
    const size = view.getUint32(0, true);
    this.units = new Uint32Array(content.buffer.slice(content.byteOffset + 4, content.byteOffset + 4 + size));
    this.replacements = content.subarray(4 + size);
    this.known = new Map();
    const { extending, prepended, controls } = rules;
    const base = `[^${extending}${prepended}${controls}]`;
    const [after, before] = [`[${extending}]`, `[${prepended}]`];
    this.joining = new RegExp(`[${extending}${prepended}]|\\r\\n`, "u");
    this.clusters = new RegExp(`\\r\\n|${before}*${base}${after}*|${before}+${after}*|${after}+|.`, "gsu");
  }

  apply(text) {
    let mapped = "";
    if (!this.joining.test(text)) {
      for (const character of text) mapped += this.#character(character);
      return mapped;
    }
    for (const [cluster] of text.matchAll(this.clusters)) mapped += this.#cluster(cluster);
    return mapped;
  }

  /** Clusters of fewer than six bytes are looked up whole, the shortest known prefix for all of it. */
  #cluster(cluster) {
    if (cluster.length > 1 && encoder.encode(cluster).length < 6) {
      const whole = this.#find(cluster);
      if (whole !== null) return whole;
    }
    let mapped = "";
    for (const character of cluster) mapped += this.#character(character);
    return mapped;
  }

  #character(character) {
    let replacement = this.known.get(character);
    if (replacement === undefined) {
      replacement = this.#find(character) ?? character;
      this.known.set(character, replacement);
    }
    return replacement;
  }

  #find(text) {
    const { units } = this;
    const offset = (unit) => ((unit >>> 10) << ((unit & 0x200) >>> 6)) >>> 0;
    let node = offset(units[0]);
    for (const byte of encoder.encode(text)) {
      if (byte === 0) return null;
      node = (node ^ byte) >>> 0;
      const unit = units[node];
      if ((unit & 0x800000ff) >>> 0 !== byte) return null;
      node = (node ^ offset(unit)) >>> 0;
      if (unit & 0x100) {
        const start = units[node] & 0x7fffffff;
        const end = this.replacements.indexOf(0, start);
        return decoder.decode(this.replacements.subarray(start, end < 0 ? undefined : end));
      }
    }
    return null;
  }
}

/** Return the function from normalised text to words, which never share a piece. */
function pretokenizer(steps, whiteSpace) {
  const run = new RegExp(`[${whiteSpace}]+`, "u");
  const split = (text) => text.split(run).filter(Boolean);
  const kinds = steps.map((step) => step.type).join(" ");
  if (kinds === "") return (text) => (text ? [text] : []);
  if (kinds === "WhitespaceSplit") return split;
  const mark = steps.at(-1).replacement;
  const scheme = steps.at(-1).prepend_scheme ?? "always";
  const cut = steps.at(-1).split ?? true;
  const marked = (text) => (scheme !== "never" && text && !text.startsWith(mark) ? mark + text : text);
  const beforeMarks = (text) => {
    const [first, ...others] = text.split(mark);
    return [...(first ? [first] : []), ...others.map((word) => mark + word)];
  };
  const finished = (text) => (cut ? beforeMarks(text) : text ? [text] : []);
  if (kinds === "Metaspace") return (text) => finished(marked(text.replaceAll(" ", mark)));
  if (kinds === "WhitespaceSplit Metaspace") return (text) => split(text).flatMap((word) => finished(marked(word)));
  throw new SiteError(`a pre-tokeniser of the types ${kinds}: expected one that Python wrote`);
}

// ---- Model ----

/** A static embedding model: rows of 4 bits, their weighted mean, a tanh per column. */
export class Model {
  /** @param {object} arrays the container of a model */
  constructor(arrays) {
    this.tokenizer = new Tokenizer(arrays);
    this.codes = arrays.codes;
    this.scales = arrays.scales;
    this.alpha = arrays.alpha;
    this.beta = arrays.beta;
    this.bias = arrays.bias;
    this.pooling = arrays.pooling ?? [1, 0]; // the power, and the half position or 0
    this.dim = arrays.alpha.length;
    this.stride = this.codes.length / this.scales.length;
  }

  /** Return the model in the bytes of a `model-*.bin`. */
  static async from(bytes) {
    return new Model(await unpack(bytes));
  }

  /** Return the token ids of a text: Int32Array. */
  tokenize(text) {
    return this.tokenizer.encode(text);
  }

  /** Return the vector of a text, of length one: Float32Array. Without tokens it is zero. */
  encode(text) {
    return this.pool(this.tokenize(text));
  }

  /** Return what each distinct token counts: `Pooling` in model/weights.py. */
  #counts(ids) {
    const [power, half] = this.pooling;
    const counts = new Map();
    ids.forEach((id, i) => counts.set(id, (counts.get(id) ?? 0) + (half ? half / (half + i) : 1)));
    for (const [id, count] of counts) counts.set(id, count ** power);
    return counts;
  }

  /** Return the vector of some tokens. */
  pool(ids) {
    const { dim, stride, codes, scales } = this;
    const sums = new Float64Array(2 * stride);
    let total = 0;
    for (const [id, count] of this.#counts(ids)) {
      const scale = scales[id] * count;
      total += count;
      for (let byte = 0, at = id * stride; byte < stride; byte++, at++) {
        const code = codes[at];
        sums[2 * byte] += scale * ((code >> 4) - 7.5); // the high nibble is the even column
        sums[2 * byte + 1] += scale * ((code & 15) - 7.5);
      }
    }
    const vector = new Float32Array(dim);
    if (!ids.length) return vector;
    let square = 0;
    for (let column = 0; column < dim; column++) {
      const mean = sums[column] / 7.5 / total;
      const value = this.beta[column] * Math.tanh(this.alpha[column] * mean + this.bias[column]);
      vector[column] = value;
      square += value * value;
    }
    const length = Math.sqrt(square) || 1;
    return vector.map((value) => value / length);
  }
}

/** Late interaction: every token of a question looks for its best match in a passage. */
class Late {
  constructor(model, idf, { columns, mostTokens }) {
    this.idf = idf;
    this.columns = Math.min(columns, model.dim);
    this.mostTokens = mostTokens;
    this.scales = model.scales;
    this.tokens = new Map(); // of questions: cosines and matches
    const n = model.scales.length;
    this.levels = new Int8Array(n * this.columns);
    this.lengths = new Float32Array(n);
    this.norms = new Float32Array(n); // length times scale
    for (let row = 0, to = 0; row < n; row++) {
      let square = 0;
      for (let column = 0; column < this.columns; column += 2) {
        const code = model.codes[row * model.stride + column / 2];
        const [even, odd] = [2 * (code >> 4) - 15, 2 * (code & 15) - 15];
        this.levels[to++] = even;
        this.levels[to++] = odd;
        square += even * even + odd * odd;
      }
      this.lengths[row] = this.scales[row] === 0 ? 0 : Math.sqrt(square); // the levels of a row of zeros say nothing
      this.norms[row] = this.lengths[row] * this.scales[row];
    }
  }

  /** Return the distinct tokens of a question with weights that sum up to one, and shares. */
  question(ids) {
    const counts = new Map();
    for (const id of [...ids].sort((a, b) => a - b)) counts.set(id, (counts.get(id) ?? 0) + 1);
    const mean = new Float64Array(this.columns);
    for (const [id, count] of counts)
      for (let column = 0; column < this.columns; column++)
        mean[column] += (count * this.scales[id] * this.levels[id * this.columns + column]) / 15;
    const length = Math.sqrt(mean.reduce((sum, value) => sum + value * value, 0));
    const scale = length > 0 ? 1 / (length * 225) : 0;
    let tokens = [...counts].map(([id, count]) => ({
      id,
      weight: (count * this.idf[id] * this.lengths[id] * this.scales[id]) / 15,
      share: count * this.scales[id] * scale,
    }));
    if (tokens.length > this.mostTokens)
      tokens = tokens.sort((a, b) => b.weight - a.weight || a.id - b.id).slice(0, this.mostTokens);
    const total = tokens.reduce((sum, { weight }) => sum + weight, 0);
    for (const token of tokens) token.weight = total > 0 ? token.weight / total : token.weight;
    return tokens;
  }

  /** Return [late interaction, best sentence] of a passage: { row, ids, ends, lengths } of its sentences. */
  score(question, passage) {
    const { ids, ends, lengths } = passage;
    if (!question.length || !ids.length) return [0, 0];
    const sentences = new Float64Array(ends.length);
    let late = 0;
    for (const { id, weight, share } of question) {
      const matches = this.#matchesOf(id, passage);
      late += weight * matches[0];
      const part = share * this.lengths[id];
      for (let number = 0; number < ends.length; number++) sentences[number] += part * matches[number + 1];
    }
    let sentence = -1;
    for (let number = 0; number < ends.length; number++)
      if (lengths[number] > 0) sentence = Math.max(sentence, sentences[number] / lengths[number]);
    return [late, Math.max(-1, Math.min(1, sentence))];
  }

  /** Return the best cosine of a token in a passage, then its dot product with each sentence. */
  #matchesOf(id, { row, ids, ends }) {
    const { cosines, matches } = this.#remembered(id);
    let found = matches.get(row); // the token was in the question before the last keystroke, too
    if (found) return found;
    found = new Float64Array(ends.length + 1);
    let best = -1;
    for (let number = 0, place = 0; number < ends.length; number++) {
      let sum = 0;
      for (; place < ends[number]; place++) {
        const other = ids[place];
        let cosine = cosines[other];
        if (cosine !== cosine) {
          cosines[other] = this.#cosine(id, other);
          cosine = cosines[other]; // as it is kept, so that equal passages stay equal
        }
        if (cosine > best) best = cosine;
        sum += cosine * this.norms[other];
      }
      found[number + 1] = sum;
    }
    found[0] = best;
    matches.set(row, found);
    return found;
  }

  /** Return the cosines of a token with every token, as far as they were needed, and its matches by row. */
  #remembered(id) {
    let token = this.tokens.get(id);
    if (token) this.tokens.delete(id); // to the end: the ones not asked for go first
    else token = { cosines: new Float32Array(this.scales.length).fill(NaN), matches: new Map() };
    this.tokens.set(id, token);
    if (this.tokens.size > MOST_COSINES) this.tokens.delete(this.tokens.keys().next().value);
    return token;
  }

  #cosine(first, second) {
    const { levels, columns, lengths } = this;
    const length = lengths[first] * lengths[second];
    if (length === 0) return 0;
    let [a, b, sum] = [first * columns, second * columns, 0];
    for (const end = a + columns; a < end; a++, b++) sum += levels[a] * levels[b];
    return sum / length;
  }
}

// ---- Words ----

/** How texts become terms, as the Python package's `konayuki.search` does it. */
export class Language {
  constructor(rules) {
    const { prepared, terms, spelling } = rules;
    this.rules = rules;
    const { letters, unseen, joiner } = prepared;
    this.invisible = new RegExp(`[${unseen}]|(?<=[${letters}])${joiner}|${joiner}(?=[${letters}])`, "gu");
    this.wrapping = new RegExp(`(?<=[${letters}])[ \\t]*(?:\\r\\n?|\\n)[ \\t]*(?=[${letters}])`, "gu");
    const spaced = `(?![${terms.unspaced}])[\\p{L}\\p{N}_]`;
    this.token = new RegExp(`([${terms.unspaced}]+)|((?:${spaced})+|[${terms.symbols}])`, "gu");
    this.hasWord = new RegExp(`^${spaced}`, "u");
    this.forms = new Map();
    for (const group of spelling.forms) {
      const characters = Array.from(group);
      for (const one of characters) this.forms.set(one, [one, ...characters.filter((other) => other !== one)]);
    }
    this.segment = new RegExp(spelling.segment, "gu");
    this.repeated = new RegExp(spelling.repeated, "gu");
    this.okurigana = new RegExp(spelling.okurigana, "gu");
    const [from, to] = rules.alike.map((characters) => Array.from(characters));
    this.alike = new Map(from.map((character, place) => [character, to[place]]));
  }

  /** Return a text as it is compared: without wrapping and invisible characters. */
  prepared(text) {
    return text.replace(this.invisible, "").replace(this.wrapping, "");
  }

  /** Return { grams, lone } of a prepared question; `lone` are characters that are part of no gram. */
  terms(query) {
    const [grams, lone] = [[], []];
    for (const { run, word } of this.tokens(fold(query))) {
      if (word) grams.push(word);
      else if (run.length === 1) lone.push(run[0]);
      else grams.push(...pairs(run));
    }
    return { grams, lone };
  }

  /** Yield the runs (as characters) and words of a folded text, each with its offset. */
  *tokens(folded) {
    for (const match of matches(folded, this.token)) {
      const [, run, word] = match;
      if (run) yield { start: match.index, run: Array.from(run) };
      else yield { start: match.index, word: Array.from(word).slice(0, this.rules.terms.longest_word).join("") };
    }
  }

  /** Return the other spellings of those 2-grams of a prepared question that have some: a Map. */
  otherSpellings(query) {
    if (this.spelled?.query === query) return this.spelled.others; // the highlighter asks again
    const others = new Map();
    this.spelled = { query, others };
    for (const { run } of this.tokens(fold(query)))
      if (run && run.length > 1) for (const [gram, spellings] of this.#alternatives(run)) others.set(gram, spellings);
    return others;
  }

  /** Return the shard of a term: FNV-1a over its code points, other spellings taken as one. */
  shardOf(term, nShards) {
    return hashOf(Array.from(term, (character) => this.alike.get(character) ?? character)) % nShards;
  }

  #alternatives(run) {
    const grams = pairs(run);
    const others = new Map(grams.map((gram) => [gram, new Set()]));
    for (const gram of grams) for (const other of this.#otherForms(gram)) others.get(gram).add(other);
    const text = run.join("");
    // Offsets of matches are in UTF-16; those of grams in characters.
    const place = (at) => (text.length === run.length ? at : Array.from(text.slice(0, at)).length);
    for (const [start, segment, spelling] of this.#otherSpellingsOf(text)) {
      const otherGrams = pairs(Array.from(spelling));
      otherGrams.forEach((gram, number) => {
        const at = place(start) + Math.floor((number * (Array.from(segment).length - 1)) / otherGrams.length);
        others.get(grams[at]).add(gram);
      });
    }
    for (const match of matches(text, this.okurigana)) others.get(grams[place(match.index)]).add(match[1] + match[2]);
    const known = new Set(grams);
    const found = new Map();
    for (const [gram, spellings] of others) {
      const unknown = [...spellings].filter((other) => !known.has(other));
      if (unknown.length) found.set(gram, unknown.slice(0, this.rules.spelling.most));
    }
    return found;
  }

  *#otherForms(gram) {
    const [first, second] = Array.from(gram).map((character) => this.forms.get(character) ?? [character]);
    for (const a of first) for (const b of second) if (a + b !== gram) yield a + b;
  }

  *#otherSpellingsOf(text) {
    for (const match of matches(text, this.repeated))
      yield [match.index, match[0], match.slice(1).find((group) => group !== undefined).repeat(2)];
    for (const match of matches(text, this.segment)) {
      const segment = match[0];
      if (segment.length < this.rules.spelling.shortest_segment) continue;
      for (const spelling of this.#respelled(segment))
        if (spelling !== segment && spelling.length > 1) yield [match.index, segment, spelling];
    }
  }

  #respelled(segment) {
    const { large, foreign_b: foreign, shortest_long_vowels: shortest } = this.rules.spelling;
    const enlarged = Array.from(segment, (character) => large[character] ?? character).join("");
    if (!/[ァ-ヺ]/u.test(segment)) return [shifted(segment, "ぁ", "ゖ", 0x60), enlarged];
    const plain = foreign.reduce((text, [from, to]) => text.replaceAll(from, to), segment);
    const short = plain.replaceAll("ー", "");
    return [shifted(segment, "ァ", "ヶ", -0x60), plain, enlarged, ...(short.length >= shortest ? [short] : [])];
  }
}

/** Return the FNV-1a hash of code points. */
function hashOf(characters) {
  let digest = 0x811c9dc5;
  for (const character of characters) digest = Math.imul(digest ^ character.codePointAt(0), 0x01000193);
  return digest >>> 0;
}

/** Words of a question with other spellings, from the dictionary: とうきょう is 東京. */
class Dictionary {
  constructor(read, { folder, shards }, language) {
    Object.assign(this, { read, folder, nShards: shards, language, rules: language.rules.words });
    this.blocks = new Map();
    this.shards = new Map();
    this.nLoaded = 0;
    this.patterns = {};
    for (const name of ["hiragana_run", "katakana_run", "kanji_or_katakana", "kanji", "function_words"])
      this.patterns[name] = new RegExp(this.rules[name], "gu");
  }

  /** Load what the words of a prepared question may start with. */
  async load(query) {
    const starts = new Set();
    for (const { run } of this.language.tokens(fold(query)))
      if (run && run.length > 1) for (const start of this.#startsIn(run.join(""))) starts.add(start);
    const wanted = new Set(Array.from(starts, (start) => hashOf(start) % this.nShards));
    await Promise.all([...wanted].map((number) => this.#shard(number)));
  }

  /** Yield the starts of whatever `#wordsIn` may look up. */
  *#startsIn(run) {
    const { shortest_reading: shortest, longest, before } = this.rules;
    for (const kana of this.#stretches(run))
      for (let start = kana[0]; start <= kana[1] - shortest; start++)
        for (let end = Math.min(kana[1], start + longest); end >= start + shortest; end--)
          if (this.#mayStand(run, start, end, kana, end - start > 2)) {
            yield blockOf(run.slice(start));
            break;
          }
    for (const { 0: katakana, index } of matches(run, this.patterns.katakana_run))
      if (katakana.length > shortest) yield blockOf(shifted(run.slice(index, index + 2), "ァ", "ヶ", -0x60));
    for (const { index } of matches(run, this.patterns.kanji_or_katakana))
      for (let stop = Math.min(run.length, index + longest); stop > index + 1; stop--)
        if (this.#isWhole(run, index, stop)) {
          yield blockOf(run.slice(index));
          break;
        }
  }

  /** Return the words of a prepared question with usual spellings other than the one in it. */
  words(query) {
    if (this.found?.query === query && this.found.shards === this.nLoaded) return this.found.words; // asked again
    const found = [];
    this.found = { query, shards: this.nLoaded, words: found };
    for (const { run } of this.language.tokens(fold(query))) {
      if (!run || run.length < 2) continue;
      const text = run.join("");
      for (const { start, end, spellings } of this.#wordsIn(text)) {
        const spelled = text.slice(start, end);
        if (spellings.some((spelling) => spelling.text !== spelled)) found.push({ spelled, spellings });
      }
    }
    return found;
  }

  /** Return a prepared question in its likely spelling; `encode` gives the vector of a text. */
  respelled(query, encode) {
    const { clear_share: clear, longest, fit } = this.language.rules.respelled;
    const parts = Array.from(query).length <= longest ? this.#spelledParts(query) : [];
    if (!parts.some(({ spellings }) => spellings.length)) return query;
    const clearOf = ([first, ...others]) =>
      (!others.length && first.share >= clear) || first.share >= 1 ? first.text : "";
    const rest = parts.map(({ text, spellings }) => (spellings.length ? clearOf(spellings) : text)).join("");
    let vector;
    const fitting = (spellings) => {
      vector ??= encode(rest);
      const odds = spellings.map(({ text, share }) => {
        const cosine = encode(text).reduce((sum, value, column) => sum + value * vector[column], 0);
        return share * Math.exp(fit * cosine);
      });
      const total = odds.reduce((sum, value) => sum + value, 0);
      const shares = spellings.reduce((sum, { share }) => sum + share, 0);
      const best = odds.indexOf(Math.max(...odds));
      return (odds[best] * shares) / total >= clear ? spellings[best].text : "";
    };
    const chosen = parts.map(({ text, spellings }) =>
      spellings.length ? clearOf(spellings) || fitting(spellings) || text : text,
    );
    return chosen.every((text, place) => text === parts[place].text) ? query : chosen.join("");
  }

  /** Return a prepared question, folded, as words that are more often spelled otherwise and the rest. */
  #spelledParts(query) {
    const { unspaced } = this.language.rules.terms;
    this.parts ??= new RegExp(`[${unspaced}]+|[^${unspaced}]+`, "gu");
    const parts = [];
    for (const [run] of matches(fold(query), this.parts)) {
      let done = 0;
      for (const { start, end, spellings } of Array.from(run).length > 1 ? this.#wordsIn(run) : []) {
        const spelled = run.slice(start, end);
        if (!this.#isSpelledOtherwise(spelled, spellings)) continue;
        parts.push({ text: run.slice(done, start), spellings: [] }, { text: spelled, spellings });
        done = end;
      }
      parts.push({ text: run.slice(done), spellings: [] });
    }
    return parts;
  }

  #isSpelledOtherwise(spelled, spellings) {
    this.kana ??= new RegExp(`[${this.language.rules.terms.kana}]`, "gu");
    const usual = spellings[0].text;
    if (spellings.every(({ text }) => text !== spelled)) return true;
    return spelled !== usual && spelled.replace(this.kana, "") === usual.replace(this.kana, "");
  }

  #shard(number) {
    if (!this.shards.has(number)) {
      const loading = this.read(`${this.folder}/${number}.bin`).then(inflate).then((bytes) => {
        for (const [start, block] of Object.entries(asJson(bytes))) this.blocks.set(start, block);
        this.nLoaded++;
      });
      this.shards.set(number, loading);
      loading.catch(() => this.shards.delete(number));
    }
    return this.shards.get(number);
  }

  #spellingsOf(word) {
    const start = blockOf(word);
    const block = this.blocks.get(start);
    const key = ` ${word.slice(start.length)}=`;
    const at = block?.indexOf(key) ?? -1;
    if (at < 0) return [];
    const end = block.indexOf(" ", at + key.length);
    return block
      .slice(at + key.length, end < 0 ? undefined : end)
      .split("/")
      .map((part) => (part.at(-1) <= "9" ? { text: part.slice(0, -1), share: part.at(-1) / 10 } : { text: part, share: 1 }));
  }

  #wordsIn(run) {
    const words = [...this.#readingsIn(run)];
    const taken = new Uint8Array(run.length);
    for (const { start, end } of words) taken.fill(1, start, end);
    const pattern = this.patterns.kanji_or_katakana;
    for (let start = 0; ; ) {
      pattern.lastIndex = start;
      const match = pattern.exec(run);
      if (!match) break;
      start = match.index;
      let end = start + 1;
      if (!taken[start])
        for (let stop = Math.min(run.length, start + this.rules.longest); stop > start + 1; stop--) {
          if (taken[stop - 1] || !this.#isWhole(run, start, stop)) continue;
          const spellings = this.#spellingsOf(run.slice(start, stop));
          if (!spellings.length) continue;
          words.push({ start, end: stop, spellings });
          end = stop;
          break;
        }
      start = end;
    }
    return words.sort((a, b) => a.start - b.start || a.end - b.end);
  }

  *#readingsIn(run) {
    const { shortest_reading: shortest, before } = this.rules;
    for (const kana of [...this.#stretches(run)]) {
      let behindWord = false;
      for (let start = kana[0]; start <= kana[1] - shortest; ) {
        let word = this.#readingAt(run, start, kana, behindWord);
        if (word && before.includes(run[start])) {
          const later = this.#readingAt(run, start + 1, kana, false);
          if (later && later.end > word.end) word = later;
        }
        if (word) yield word;
        behindWord = Boolean(word);
        start = word ? word.end : start + 1;
      }
    }
    for (const match of [...matches(run, this.patterns.katakana_run)]) {
      if (match[0].length <= shortest || this.#spellingsOf(match[0]).length) continue;
      const spellings = this.#spellingsOf(shifted(match[0], "ァ", "ヶ", -0x60));
      if (spellings.length) yield { start: match.index, end: match.index + match[0].length, spellings };
    }
  }

  /** Yield the spans of hiragana between function words. */
  *#stretches(run) {
    for (const { 0: kana, index } of [...matches(run, this.patterns.hiragana_run)]) {
      let start = index;
      for (const word of [...matches(kana, this.patterns.function_words)]) {
        yield [start, index + word.index];
        start = index + word.index + word[0].length;
      }
      yield [start, index + kana.length];
    }
  }

  #readingAt(run, start, kana, isFree) {
    for (let end = Math.min(kana[1], start + this.rules.longest); end >= start + this.rules.shortest_reading; end--) {
      if (!this.#mayStand(run, start, end, kana, isFree && end - start > 2)) continue;
      const spellings = this.#spellingsOf(run.slice(start, end));
      if (spellings.length) return { start, end, spellings };
    }
    return null;
  }

  #mayStand(run, start, end, [first, last], isFree) {
    const { long, small, before, behind, particles } = this.rules;
    const length = end - start;
    if (length >= long) return true;
    if (start === first) {
      const isSmall = Array.from(run.slice(start, end)).some((character) => small.includes(character));
      if (first && this.#isKanji(run[first - 1]) && !isSmall) return false;
    } else if (!isFree && (length === 2 || !before.includes(run[start - 1]))) return false;
    if (length === 2) return end === last || (end === last - 1 && particles.includes(run[end]));
    return end === last || (end < run.length && behind.includes(run[end])) || run.startsWith("って", end);
  }

  #isWhole(run, start, end) {
    const kanji = Array.from(run.slice(start, end)).filter((character) => this.#isKanji(character));
    if (start && this.#isKanji(run[start - 1]) && kanji.length === 1) return false; // the 本の of 日本の
    const isKatakana = (character) => /[\u30a1-\u30fa\u30fc]/u.test(character ?? "");
    const goesOn = (outside, inside) => isKatakana(outside) && isKatakana(inside);
    return !goesOn(run[start - 1], run[start]) && !goesOn(run[end], run[end - 1]);
  }

  #isKanji(character) {
    this.patterns.kanji.lastIndex = 0;
    return this.patterns.kanji.test(character);
  }
}

const blockOf = (word) => (word[0] < "\u3400" ? word.slice(0, 2) : word.slice(0, next(word, 0)));

/** Yield the matches of a pattern; unlike `matchAll`, without compiling it anew. */
function* matches(text, pattern) {
  pattern.lastIndex = 0;
  for (let match; (match = pattern.exec(text)); ) {
    const after = pattern.lastIndex;
    yield match;
    pattern.lastIndex = match[0] ? after : next(text, match.index);
  }
}

/** Return a text in NFKC and lower case, in which width and case make no difference. */
export const fold = (text) => text.normalize("NFKC").toLowerCase();

const pairs = (characters) => characters.slice(1).map((second, place) => characters[place] + second);

const isKana = (gram) => Array.from(gram).every((character) => character >= "ぁ" && character <= "ヿ");

function shifted(text, first, last, by) {
  return Array.from(text, (c) => (c >= first && c <= last ? String.fromCharCode(c.charCodeAt(0) + by) : c)).join("");
}

/** BM25 over one field whose postings lie in shards. */
class Field {
  constructor(read, language, description, common, lengthSteps, rules) {
    const { folder, shards, documents, mean_length: mean, lengths } = description;
    Object.assign(this, { read, language, folder, nShards: shards, nDocuments: documents, rules });
    this.frequent = Uint8Array.from(lengths);
    this.common = new Map(common.map((term, place) => [term, shards + place])); // a file for each
    const { k1, b } = rules;
    this.damping = Float64Array.from(lengthSteps, (length) => k1 * (1 - b + (b * length) / (mean || 1)));
    this.shards = new Map();
  }

  /** Return the postings of terms, undefined for one that does not occur: a Map. */
  async postings(terms) {
    const numbers = [...new Set(terms)].map((term) => [term, this.#numberOf(term)]);
    const shards = new Map();
    await Promise.all(
      [...new Set(numbers.map(([, number]) => number))].map(async (number) => shards.set(number, await this.#shard(number))),
    );
    return new Map(numbers.map(([term, number]) => [term, shards.get(number).postings(term)]));
  }

  #numberOf(term) {
    return this.common.get(term) ?? this.language.shardOf(term, this.nShards);
  }

  /** Return those of some spellings of terms that lie in the files of the terms. */
  besides(terms, others) {
    return terms.flatMap((term) => (others.get(term) ?? []).filter((other) => this.#numberOf(other) === this.#numberOf(term)));
  }

  idf(nHolding) {
    return Math.log1p((this.nDocuments - nHolding + 0.5) / (nHolding + 0.5));
  }

  /** Call `take(row, score)` for every passage that holds a term. */
  scores({ rows, counts, lengths }, boost, take) {
    const weight = boost * this.idf(rows.length) * (1 + this.rules.k1);
    for (let place = 0; place < rows.length; place++) {
      const count = counts[place];
      take(rows[place], (weight * count) / (count + this.damping[lengths[place]]));
    }
  }

  #shard(number) {
    let shard = this.shards.get(number);
    if (!shard) {
      shard = this.read(`${this.folder}/${number}.bin`).then((bytes) => new Shard(bytes, this.frequent));
      shard.catch(() => this.shards.delete(number));
      this.shards.set(number, shard);
      if (this.shards.size > MOST_SHARDS) this.shards.delete(this.shards.keys().next().value);
    }
    return shard;
  }
}

/** The postings of some terms. */
class Shard {
  #places = new Map(); // of each term: where its postings start and end

  constructor(bytes, frequent) {
    const numbers = new Varints(bytes);
    const nTerms = numbers.next();
    const [sizes, names] = [new Uint32Array(nTerms), new Uint32Array(nTerms)];
    let n = 0;
    for (let place = 0; place < nTerms; place++) {
      const value = numbers.next();
      sizes[place] = Math.floor(value / 4);
      names[place] = value % 4 || numbers.next();
      n += sizes[place];
    }
    for (let place = 0, start = 0; place < nTerms; place++) {
      const term = numbers.name(names[place]);
      this.#places.set(term, [start, (start += sizes[place])]);
    }
    this.#decode(numbers, sizes, n, frequent);
  }

  /** Return { rows, counts, lengths } of a term, undefined if no passage holds it. */
  postings(term) {
    const place = this.#places.get(term);
    if (!place) return undefined;
    const [start, end] = place;
    const { rows, counts, lengths } = this;
    return { rows: rows.subarray(start, end), counts: counts.subarray(start, end), lengths: lengths.subarray(start, end) };
  }

  #decode(numbers, sizes, n, frequent) {
    const [rows, counts, lengths] = [new Uint32Array(n), new Uint32Array(n), new Uint8Array(n)];
    let at = 0;
    for (const size of sizes)
      for (let row = 0, end = at + size; at < end; at++) {
        const value = numbers.next();
        row += Math.floor(value / 2); // the first is a row, the others are distances
        rows[at] = row;
        counts[at] = value % 2 ? numbers.next() : 1;
      }
    const { bytes, at: halves } = numbers;
    for (let place = 0, other = halves + ((n + 1) >> 1); place < n; place++) {
      const pair = bytes[halves + (place >> 1)];
      const half = place % 2 ? pair & 15 : pair >> 4;
      lengths[place] = half < 15 ? frequent[half] : bytes[other++];
    }
    Object.assign(this, { rows, counts, lengths });
  }
}

const gram = (text) => ({ field: "words", text });
const character = (text) => ({ field: "characters", text });

function termsOf(spelling) {
  const characters = Array.from(spelling);
  return characters.length === 1 ? [character(spelling)] : pairs(characters).map(gram);
}

/** Sums up what terms and words of one question are worth, with their other spellings. */
class Scoring {
  constructor(fields, postings, others, { other_spelling: less }) {
    Object.assign(this, { fields, postings, others, less });
  }

  #postings({ field, text }) {
    return this.postings[field].get(text);
  }

  #idf(term) {
    return this.fields[term.field].idf(this.#postings(term)?.rows.length ?? 0);
  }

  /** Return the other spellings of a term that occur. */
  #spellings({ field, text }) {
    const spellings = field === "words" ? (this.others.get(text) ?? []) : [];
    return spellings.map(gram).filter((other) => this.#postings(other));
  }

  #plain(term, boost, take) {
    const postings = this.#postings(term);
    if (postings) this.fields[term.field].scores(postings, boost, take);
  }

  /** Return the IDF of a term; if no passage holds it, the largest of its spellings'. */
  weight(term) {
    const spellings = this.#postings(term) ? [] : this.#spellings(term);
    return spellings.length ? this.less * Math.max(...spellings.map((other) => this.#idf(other))) : this.#idf(term);
  }

  /** Give the scores of a term, or for less those of its best other spelling. */
  term(term, boost, take) {
    // Kana that occur are spelled as they should be.
    const spellings = isKana(term.text) && this.#postings(term) ? [] : this.#spellings(term);
    if (!spellings.length) return this.#plain(term, boost, take);
    const most = new Most();
    this.#plain(term, boost, most.take);
    for (const other of spellings)
      this.#plain(other, boost * this.less * Math.min(1, this.#idf(term) / this.#idf(other)), most.take);
    most.give(take);
  }

  /** Return the other spellings of a word whose terms all occur, with their weights. */
  #held(word) {
    return word.others
      .filter(({ terms }) => terms.every((term) => this.#postings(term)))
      .map(({ terms, share }) => ({ terms, share, weight: terms.reduce((sum, term) => sum + this.#idf(term), 0) }));
  }

  #ownWeight(word) {
    return word.own.reduce((sum, term) => sum + this.weight(term), 0);
  }

  /** Return the most that a word can be worth, without the saturation. */
  wordWeight(word) {
    const [own, held] = [this.#ownWeight(word), this.#held(word)];
    return held.length && word.isReading ? Math.min(own, mostOf(held)) : own;
  }

  /** Give the scores of a word, or for less those of passages that hold all of another spelling. */
  word(word, take) {
    const held = this.#held(word);
    const own = new Sum();
    for (const term of word.own) this.term(term, 1, own.take);
    if (!held.length) return own.give((row, score) => take(row, word.count * score));
    const weight = this.#ownWeight(word);
    const most = new Most();
    const ownBoost = word.isReading ? Math.min(1, mostOf(held) / weight) : 1;
    own.give((row, score) => most.take(row, ownBoost * score));
    for (const { terms, share, weight: otherWeight } of held) {
      const boost = this.less * share * Math.min(1, weight / otherWeight);
      const sum = new Sum();
      for (const term of terms) this.#plain(term, 1, sum.take);
      sum.give((row, score) => sum.held.get(row) === terms.length && most.take(row, boost * score));
    }
    most.give((row, score) => take(row, word.count * score));
  }
}

const mostOf = (held) => Math.max(...held.map(({ weight }) => weight));

/** Scores by row, of which the largest counts. */
class Most {
  scores = new Map();
  take = (row, score) => score > (this.scores.get(row) ?? 0) && this.scores.set(row, score);

  give(take) {
    for (const [row, score] of this.scores) take(row, score);
  }
}

/** Scores by row that add up, and how many there were. */
class Sum extends Most {
  held = new Map();
  take = (row, score) => {
    this.scores.set(row, (this.scores.get(row) ?? 0) + score);
    this.held.set(row, (this.held.get(row) ?? 0) + 1);
  };
}

// ---- Ranking ----

/** Return the mean and the standard deviation of the first numbers. */
function spread(values, n) {
  let mean = 0;
  for (let place = 0; place < n; place++) mean += values[place] / n;
  let square = 0;
  for (let place = 0; place < n; place++) square += (values[place] - mean) ** 2 / n;
  return [mean, Math.sqrt(square)];
}

/** Return rows with scores, best first: at least `k` of them, and all that tie with the last. */
function best(entries, k) {
  const ordered = entries.sort((a, b) => b.score - a.score || a.row - b.row);
  if (k >= ordered.length) return ordered;
  const floor = ordered[k - 1].score;
  let n = k;
  while (n < ordered.length && ordered[n].score >= floor) n++;
  return ordered.slice(0, n);
}

/** Return a floor that at least `k` of the numbers reach, from a heap of the best. */
function floorOf(values, k) {
  if (k >= values.length) return -Infinity;
  const heap = Float64Array.from(values.subarray(0, k)).sort();
  for (let place = k; place < values.length; place++) {
    if (values[place] <= heap[0]) continue;
    heap[0] = values[place];
    for (let parent = 0; ; ) {
      let child = 2 * parent + 1;
      if (child >= k) break;
      if (child + 1 < k && heap[child + 1] < heap[child]) child++;
      if (heap[parent] <= heap[child]) break;
      [heap[parent], heap[child]] = [heap[child], heap[parent]];
      parent = child;
    }
  }
  return heap[0];
}

/** Return the rows with the highest scores above a limit, as `best` does. */
function top(scores, k, above) {
  const floor = floorOf(scores, k);
  const entries = [];
  for (let row = 0; row < scores.length; row++)
    if (scores[row] >= floor && scores[row] > above) entries.push({ row, score: scores[row] });
  return best(entries, k);
}

/** The vectors of all passages. */
class Vectors {
  constructor({ codes, empty }, bits, dim) {
    this.dim = dim;
    this.codes = bits === 8 ? codes : unpackedLevels(codes);
    this.size = this.codes.length / dim;
    this.lengths = new Float64Array(this.size);
    for (let row = 0, at = 0; row < this.size; row++) {
      let square = 0;
      for (let column = 0; column < dim; column++, at++) square += this.codes[at] ** 2;
      this.lengths[row] = Math.sqrt(square);
    }
    this.empty = empty;
    for (const row of empty) this.lengths[row] = 0;
  }

  /** Return the cosine of every passage; that of a passage without tokens is 0. */
  cosines(query) {
    const { codes, dim, lengths } = this;
    const cosines = new Float32Array(this.size);
    let square = 0;
    for (const value of query) square += value * value;
    const length = Math.sqrt(square);
    if (length === 0) return cosines;
    const values = Float64Array.from(query); // no conversion in the loop
    const whole = dim - (dim % 8);
    for (let row = 0, at = 0; row < cosines.length; row++) {
      let [a, b, c, d] = [0, 0, 0, 0]; // sums that need not wait for each other
      let column = 0;
      for (; column < whole; column += 8, at += 8) {
        a += codes[at] * values[column] + codes[at + 4] * values[column + 4];
        b += codes[at + 1] * values[column + 1] + codes[at + 5] * values[column + 5];
        c += codes[at + 2] * values[column + 2] + codes[at + 6] * values[column + 6];
        d += codes[at + 3] * values[column + 3] + codes[at + 7] * values[column + 7];
      }
      for (; column < dim; column++, at++) a += codes[at] * values[column];
      if (lengths[row] > 0) cosines[row] = (a + b + c + d) / (lengths[row] * length);
    }
    return cosines;
  }

  /** Return the nearest passages; those without tokens are near to nothing. */
  nearest(cosines, k) {
    for (const row of this.empty) cosines[row] = -2;
    const near = top(cosines, k, -1.5);
    for (const row of this.empty) cosines[row] = 0;
    return near;
  }
}

/** Return 4-bit levels as odd numbers from -15 to 15: the same directions. */
function unpackedLevels(codes) {
  const levels = new Int8Array(2 * codes.length);
  codes.forEach((code, place) => {
    levels[2 * place] = 2 * (code >> 4) - 15;
    levels[2 * place + 1] = 2 * (code & 15) - 15;
  });
  return levels;
}

/** Return the score, its parts and the relevance of candidates: those of `konayuki.search.ranker`. */
function secondLook(candidates, ceiling, rules) {
  const n = candidates.length;
  const features = {
    dense: candidates.map((candidate) => candidate.dense),
    lexical: candidates.map((candidate) => candidate.lexical),
    late: candidates.map((candidate) => candidate.late),
    sentence: candidates.map((candidate) => candidate.sentence),
    length: candidates.map((candidate) => Math.log(Math.max(candidate.tokens, 1))),
  };
  for (const candidate of candidates) candidate.parts = {};
  for (const [name, values] of Object.entries(features)) {
    const [mean, deviation] = spread(values, n);
    const weight = deviation > rules.least_spread ? rules.weights[name] / deviation : 0;
    candidates.forEach((candidate, place) => (candidate.parts[name] = weight * (values[place] - mean)));
  }
  const sum = ({ parts }) => Object.values(parts).reduce((total, part) => total + part, 0);
  for (const candidate of candidates) candidate.score = sum(candidate);
  const scores = candidates.map(({ score }) => score).sort((a, b) => b - a);
  const top = scores[0] ?? 0;
  const second = scores.find((score) => score < top - rules.same_score) ?? top;
  const rival = scores[Math.min(rules.rival, n) - 1] ?? 0;
  for (const candidate of candidates) {
    const { score, dense, lexical, late, sentence } = candidate;
    const lead = score - (score >= top - rules.same_score ? second : top);
    const raw = { dense, coverage: lexical / Math.max(ceiling, 1e-9), late, sentence, contrast: score - rival, lead };
    let logit = rules.relevance.bias;
    for (const [name, value] of Object.entries(raw)) logit += (rules.relevance[name] ?? 0) * value;
    candidate.relevance = 1 / (1 + Math.exp(-Math.max(-50, Math.min(50, logit))));
  }
}

// ---- Snippets ----

/** Finds where terms of a question stand in a text. */
export class Highlighter {
  constructor(language, query, words = []) {
    const prepared = language.prepared(query);
    const { grams, lone } = language.terms(prepared);
    this.language = language;
    const usual = words.flatMap(({ spellings }) => spellings.map(({ text }) => text));
    const others = [...language.otherSpellings(prepared).values()].flat();
    this.grams = new Set([...grams, ...others, ...usual.flatMap((word) => pairs(Array.from(word)))]);
    this.beginnings = grams.filter((word) => Array.from(word).length > 2 && /^\p{L}/u.test(word)); // is_beginning
    this.lone = new Set([...lone, ...usual.filter((word) => Array.from(word).length === 1)]);
  }

  /** Return the [start, end] offsets in a text, ascending, not touching. */
  spans(text) {
    return this.#spans(tracedTokens(text, this.language));
  }

  #spans({ tokens, starts }) {
    const spans = [];
    const add = (start, end) => {
      const [from, to] = [starts[start], starts[end]];
      if (spans.length && from <= spans.at(-1)[1]) spans.at(-1)[1] = Math.max(to, spans.at(-1)[1]);
      else if (from < to) spans.push([from, to]);
    };
    const present = new Set(tokens.map(({ word }) => word));
    const absent = this.beginnings.filter((word) => !present.has(word));
    for (const { start, run, word } of tokens) {
      if (word) {
        if (this.grams.has(word)) add(start, start + word.length);
        else add(start, start + Math.max(0, ...absent.filter((typed) => word.startsWith(typed)).map((typed) => typed.length)));
        continue;
      }
      let at = start;
      run.forEach((character, place) => {
        const after = run[place + 1];
        if (this.lone.has(character)) add(at, at + character.length);
        if (after && this.grams.has(character + after)) add(at, at + character.length + after.length);
        at += character.length;
      });
    }
    return spans;
  }

  /** Return { text, spans }: about `width` characters of a text that hold most of the question. */
  snippet(text, width = 120) {
    return this.snippetOf(shown(text, this.language), width);
  }

  /** Return the snippet of what `shown` gave. */
  snippetOf({ text, traced }, width = 120) {
    const spans = this.#spans(traced);
    if (text.length <= width) return { text, spans };
    const start = bestStart(text, spans, width);
    const end = Math.min(text.length, start + width);
    const before = start > 0 ? "…" : "";
    const shift = before.length - start;
    const inside = spans
      .filter(([a, b]) => a < end && b > start)
      .map(([a, b]) => [Math.max(a, start) + shift, Math.min(b, end) + shift]);
    return { text: before + text.slice(start, end) + (end < text.length ? "…" : ""), spans: inside };
  }
}

/** Return a text as snippets are cut from it: it changes with no question. */
function shown(text, language) {
  text = text.replace(/\s+/gu, " ").trim();
  return { text, traced: tracedTokens(text, language) };
}

/** Return the tokens of a text, folded, and the offset in the text of every folded character. */
function tracedTokens(text, language) {
  const { folded, starts } = traced(text, language.invisible, language.wrapping);
  return { tokens: [...language.tokens(folded)], starts };
}

/** Return a text folded as terms are, and the offset in the text of every folded character. */
function traced(text, ...gaps) {
  const hidden = new Uint8Array(text.length);
  for (const gap of gaps) for (const { 0: found, index } of text.matchAll(gap)) hidden.fill(1, index, index + found.length);
  let folded = "";
  const starts = [];
  for (const match of text.matchAll(/.[\u0300-\u036f\u3099\u309a\uff9e\uff9f]*/gsu)) {
    if (hidden[match.index]) continue;
    const part = fold(match[0]);
    folded += part;
    for (let place = 0; place < part.length; place++) starts.push(match.index);
  }
  starts.push(text.length);
  // The end of a span is where the next visible character starts, less what is hidden before it.
  return { folded, starts };
}

/** Return the start of the window that holds the most and longest matches. */
function bestStart(text, spans, width) {
  if (!spans.length) return 0;
  const sentences = [0, ...Array.from(text.matchAll(/[。．！？!?]+\s*/gu), (match) => match.index + match[0].length)];
  const latest = Math.max(0, text.length - Math.floor(width / 2));
  let chosen = [-1, false, 0];
  const nearby = spans.slice(0, 64).map(([start]) => Math.max(0, start - Math.floor(width / 6)));
  for (const start of [...new Set([...sentences.slice(0, 256), ...nearby])].sort((a, b) => a - b)) {
    if (start > latest) break;
    const inside = spans.filter(([a, b]) => a >= start && b <= start + width);
    const words = new Map();
    for (const [a, b] of inside) words.set(text.slice(a, b), (words.get(text.slice(a, b)) ?? 0) + 1);
    let total = 0;
    for (const [word, n] of words) total += word.length ** 1.5 * 1.1 ** (n - 1);
    const isSentence = sentences.includes(start);
    if (total > chosen[0] || (total === chosen[0] && isSentence >= chosen[1])) chosen = [total, isSentence, start];
  }
  return splitsPair(text, chosen[2]) ? chosen[2] + 1 : chosen[2];
}

const splitsPair = (text, at) => /[\udc00-\udfff]/.test(text[at] ?? "");

// ---- Site ----

/** The search of a site. Words work at once; meaning works once `loadMeaning` is done. */
export class Site {
  /** Open the search whose files lie at an address. */
  static async open(base, { read = reader(base) } = {}) {
    const manifest = asJson(await read("manifest.json", { fresh: true }));
    if (manifest.format !== FORMAT)
      throw new SiteError(`the files have format ${manifest.format}: expected ${FORMAT}; build the site again`);
    return new Site(manifest, await unpack(await read(manifest.start.file)), read);
  }

  constructor(manifest, start, read) {
    this.manifest = manifest;
    this.size = manifest.passages;
    this.language = new Language(asJson(start.language));
    const common = asJson(start.common);
    const field = (name) => new Field(read, this.language, manifest[name], common[name], start.length_steps, manifest.lexical);
    this.fields = { words: field("words"), characters: field("characters") };
    this.dictionary = new Dictionary(read, manifest.dictionary, this.language);
    let first = 0;
    this.textStarts = Uint32Array.from(new Varints(start.text_sizes).rest(), (size) => (first += size) - size);
    this.twins = new Map();
    const twins = new Varints(start.twins).rest();
    for (let at = 0, row = 0; at < twins.length; at += 2) this.twins.set((row += twins[at]), row - twins[at + 1]);
    this.read = read;
    this.files = new Map();
    this.meaning = null;
  }

  /** Load the model and the vectors, once; `read` may report progress or take them from a cache. */
  loadMeaning(read = this.read) {
    this.loading ??= this.#loadMeaning(read).catch((error) => {
      this.loading = null;
      throw error;
    });
    return this.loading;
  }

  /**
   * Return the best hits by words alone, best first. With `quick`, spellings that the dictionary knows
   * count only as far as they were loaded before: one answer of the server less to wait for.
   */
  async searchWords(query, k = 10, { signal, quick = false } = {}) {
    query = this.language.prepared(query);
    if (!query.trim()) return [];
    const { scores } = await this.#lexical(query, quick);
    signal?.throwIfAborted();
    const ranked = top(scores, k + this.twins.size, 0); // equal passages are one hit
    const found = this.#distinct(ranked).slice(0, k);
    return this.#hits(
      found.map(({ row, score }) => ({ row, score, lexical: score, parts: { lexical: score } })),
      query,
    );
  }

  /** Return the best hits by words and meaning, best first; at most 100. */
  async search(query, k = 10, { signal } = {}) {
    await this.loadMeaning();
    query = this.language.prepared(query);
    if (!query.trim()) return [];
    return this.#hits(this.#distinct(await this.rank(query, { signal })).slice(0, k), query);
  }

  /** Return ranked candidates of a prepared question: { row, score, relevance, parts, ... }. */
  async rank(query, { signal } = {}) {
    const { model, vectors, late } = this.meaning;
    const { depth, exact, other_spelling } = this.manifest.ranking;
    const { scores, ceiling, oneTerm } = await this.#lexical(query);
    signal?.throwIfAborted(); // before the work: a newer question waits for it
    const texts = [...new Set([query, this.dictionary.respelled(query, (text) => model.encode(text))])];
    const tokens = texts.map((text) => model.tokenize(text));
    const cosines = vectors.cosines(meanOf(tokens.map((ids) => model.pool(ids))));
    const pool = top(scores, depth, 0);
    const matching = new Set(pool.map(({ row }) => row));
    pool.push(...vectors.nearest(cosines, depth).filter(({ row }) => !matching.has(row)));
    const passages = await this.#tokens(pool.map(({ row }) => row));
    signal?.throwIfAborted();
    const questions = tokens.map((ids) => late.question(ids));
    const candidates = pool.map(({ row }, place) => {
      let [lateScore, sentence] = late.score(questions[0], passages[place]);
      for (const question of questions.slice(1)) {
        const others = late.score(question, passages[place]).map((score) => other_spelling * score);
        [lateScore, sentence] = [Math.max(lateScore, others[0]), Math.max(sentence, others[1])];
      }
      const n = passages[place].ids.length;
      return { row, dense: cosines[row], lexical: scores[row], late: lateScore, sentence, tokens: n };
    });
    secondLook(candidates, ceiling, this.manifest.ranking);
    if (oneTerm)
      for (const candidate of candidates) {
        candidate.parts.exact = candidate.lexical > 0 ? exact : 0;
        candidate.score += candidate.parts.exact;
      }
    return candidates.sort((a, b) => b.score - a.score || a.row - b.row);
  }

  async #loadMeaning(read) {
    const { model: modelFile, vectors: vectorFile, ranking } = this.manifest;
    const [model, arrays] = await Promise.all([
      read(modelFile.file).then((bytes) => Model.from(bytes)),
      read(vectorFile.file).then(unpack),
    ]);
    const late = new Late(model, arrays.idf, { columns: ranking.columns, mostTokens: ranking.most_tokens });
    this.meaning = { model, late, vectors: new Vectors(arrays, vectorFile.bits, model.dim) };
  }

  /** Return the BM25 of every passage, the most that any could have, and whether the query is one term. */
  async #lexical(query, quick = false) {
    const { grams, lone } = this.language.terms(query);
    const coming = this.fields.words.postings(grams); // on the way while the dictionary comes
    coming.catch(() => {});
    const loading = this.dictionary.load(query);
    if (!quick) await loading;
    else loading.catch(() => {}); // is loaded again
    const others = this.language.otherSpellings(query);
    const { terms, words } = this.#clauses(query, grams, lone);
    const all = [...terms.map(({ term }) => term), ...words.flatMap((word) => [word.own, ...word.others.map((o) => o.terms)].flat())];
    const of = (field) => all.filter((term) => term.field === field).map(({ text }) => text);
    const { words: field } = this.fields;
    const wanted = quick
      ? [...grams, ...field.besides(grams, others)]
      : of("words").flatMap((term) => [term, ...(others.get(term) ?? [])]);
    const [inWords, inCharacters] = await Promise.all([
      field.postings(wanted),
      this.fields.characters.postings(quick ? lone : of("characters")),
    ]);
    const scoring = new Scoring(this.fields, { words: inWords, characters: inCharacters }, others, this.manifest.lexical);
    const scores = new Float64Array(this.size);
    const add = (row, score) => (scores[row] += score);
    let ceiling = 0;
    for (const { term, count } of terms) {
      scoring.term(term, count, add);
      ceiling += count * scoring.weight(term);
    }
    for (const word of words) {
      scoring.word(word, add);
      ceiling += word.count * scoring.wordWeight(word);
    }
    const oneTerm = new Set([...grams, ...lone]).size === 1;
    return { scores, ceiling: ceiling * (this.manifest.lexical.k1 + 1), oneTerm };
  }

  /** Return the terms of a query outside of words, and its words, with their repetitions. */
  #clauses(query, grams, lone) {
    const most = this.manifest.lexical.most_terms;
    const counted = new Map();
    for (const term of [...grams.map(gram), ...lone.map(character)]) {
      const key = `${term.field} ${term.text}`;
      counted.set(key, { term, count: (counted.get(key)?.count ?? 0) + 1 });
    }
    const words = new Map();
    if (counted.size <= most)
      for (const { spelled, spellings } of this.dictionary.words(query)) {
        const own = termsOf(spelled);
        for (const term of own) {
          const entry = counted.get(`${term.field} ${term.text}`);
          if (entry) entry.count--;
        }
        const known = words.get(spelled);
        if (known) known.count++;
        else {
          const others = spellings.filter(({ text }) => text !== spelled);
          const isReading = others.length === spellings.length && own.every(({ text }) => isKana(text));
          words.set(spelled, {
            own,
            others: others.map(({ text, share }) => ({ terms: termsOf(text), share })),
            isReading,
            count: 1,
          });
        }
      }
    const terms = [...counted.values()].filter(({ count }) => count > 0);
    return { terms: terms.sort((x, y) => y.count - x.count).slice(0, most), words: [...words.values()] };
  }

  /** Return the tokens of passages. */
  async #tokens(rows) {
    const { folder, passages: perFile } = this.manifest.tokens;
    const numbers = new Set(rows.map((row) => Math.floor(row / perFile)));
    const files = new Map();
    await Promise.all(
      [...numbers].map(async (number) => files.set(number, await this.#file(`${folder}/${number}.bin`, readTokens))),
    );
    return rows.map((row) => ({ row, ...files.get(Math.floor(row / perFile))(row % perFile) }));
  }

  /** Return each passage's text, address and title. */
  async #texts(rows) {
    const { folder } = this.manifest.texts;
    return Promise.all(
      rows.map(async (row) => {
        const number = lastNotAbove(this.textStarts, row);
        const { pages, passages } = await this.#file(`${folder}/${number}.bin`, async (bytes) => asJson(await inflate(bytes)));
        const passage = passages[row - this.textStarts[number]];
        const [id, page, heading, anchor, text] = passage;
        const [url, title] = pages[page];
        return { passage, id, url, title, heading, anchor, text };
      }),
    );
  }

  #file(name, parse) {
    if (!this.files.has(name)) {
      const file = this.read(name).then(parse);
      file.catch(() => this.files.delete(name));
      this.files.set(name, file);
    }
    return this.files.get(name);
  }

  /** Keep the best of equal passages. */
  #distinct(ranked) {
    const seen = new Set();
    return ranked.filter(({ row }) => {
      const group = this.twins.get(row) ?? row;
      return !seen.has(group) && seen.add(group);
    });
  }

  async #hits(ranked, query) {
    const texts = await this.#texts(ranked.map(({ row }) => row));
    const highlighter = new Highlighter(this.language, query, this.dictionary.words(query));
    return ranked.map(({ row, score, relevance = null, lexical, dense = null, parts }, place) => {
      const { passage, ...what } = texts[place];
      passage.shown ??= shown(what.text, this.language);
      return { ...what, row, score, relevance, lexical, dense, parts, snippet: highlighter.snippetOf(passage.shown) };
    });
  }
}

/** Return the mean of vectors, of length one. */
function meanOf(vectors) {
  if (vectors.length === 1) return vectors[0];
  const sum = vectors[0].map((value, column) => value + vectors[1][column]);
  const length = Math.hypot(...sum) || 1;
  return sum.map((value) => value / length);
}

function lastNotAbove(starts, row) {
  let [low, high] = [0, starts.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if (starts[middle] <= row) low = middle;
    else high = middle;
  }
  return low;
}

/** Return a function that gives the tokens of a passage of a file by its place. */
async function readTokens(bytes) {
  const { ids: content, ends, sentences, lengths } = await unpack(bytes);
  const numbers = new Varints(content);
  const ids = new Int32Array(ends.length ? ends.at(-2) : 0);
  for (let place = 0; place < ids.length; place++) ids[place] = numbers.next();
  return (place) => {
    const [start, first] = place ? [ends[2 * place - 2], ends[2 * place - 1]] : [0, 0];
    const [end, last] = [ends[2 * place], ends[2 * place + 1]];
    return { ids: ids.subarray(start, end), ends: sentences.subarray(first, last), lengths: lengths.subarray(first, last) };
  };
}
