/** The format of the files that this runtime reads. */
export const FORMAT: number;

/** Raised if a file of the site is missing (`status` 404), of another format, or damaged. */
export class SiteError extends Error {
  status: number;
}

/** Gives the bytes of a file by its name. */
export type Reader = (name: string, options?: { fresh?: boolean }) => Promise<Uint8Array>;

/** Return a reader of the files below an address; in Node.js also of `file:` addresses. */
export function reader(base: string | URL): Reader;
export function inflate(bytes: Uint8Array): Promise<Uint8Array>;
export function unpack(bytes: Uint8Array): Promise<Record<string, ArrayBufferView>>;

/** Return a text in NFKC and lower case. */
export function fold(text: string): string;

export class Tokenizer {
  readonly size: number;
  encode(text: string): Int32Array;
}

/** A static embedding model. */
export class Model {
  readonly dim: number;
  readonly tokenizer: Tokenizer;
  /** Return the model in the bytes of a `model-*.bin`. */
  static from(bytes: Uint8Array): Promise<Model>;
  tokenize(text: string): Int32Array;
  /** Return the vector of a text, of length one; without tokens it is zero. */
  encode(text: string): Float32Array;
  pool(ids: ArrayLike<number>): Float32Array;
}

export type Span = [start: number, end: number];

export interface Snippet {
  text: string;
  spans: Span[];
}

export interface Hit {
  id: string;
  /** Address, relative to the root of the site. */
  url: string;
  title: string;
  /** The headings above the passage, joined by " > ". */
  heading: string;
  /** The id to link to, or "". */
  anchor: string;
  text: string;
  snippet: Snippet;
  row: number;
  /** What hits are ordered by; compares within one answer only. */
  score: number;
  /** How likely the passage answers the question, 0 to 1; null by words alone. */
  relevance: number | null;
  /** BM25. */
  lexical: number;
  /** Cosine; null by words alone. */
  dense: number | null;
  /** What each feature adds to the score. */
  parts: Record<string, number>;
}

export class Language {
  prepared(text: string): string;
  terms(query: string): { grams: string[]; lone: string[] };
  otherSpellings(query: string): Map<string, string[]>;
}

/** A word of a question, and its usual spellings with how often each is meant, 0 to 1. */
export interface Word {
  spelled: string;
  spellings: { text: string; share: number }[];
}

/** Other spellings of words; `load` a prepared question before anything else is asked about it. */
export interface Dictionary {
  load(query: string): Promise<void>;
  words(query: string): Word[];
  respelled(query: string, encode: (text: string) => Float32Array): string;
}

export class Highlighter {
  constructor(language: Language, query: string, words?: Word[]);
  spans(text: string): Span[];
  snippet(text: string, width?: number): Snippet;
  snippetOf(shown: { text: string; traced: object }, width?: number): Snippet;
}

/** The search of a site. Words work at once; meaning works once `loadMeaning` is done. */
export class Site {
  static open(base: string | URL, options?: { read?: Reader }): Promise<Site>;
  readonly size: number;
  readonly language: Language;
  readonly dictionary: Dictionary;
  readonly meaning: { model: Model } | null;
  loadMeaning(read?: Reader): Promise<void>;
  /** Return the best hits by words and meaning, best first; loads the model if need be. */
  search(query: string, k?: number, options?: { signal?: AbortSignal }): Promise<Hit[]>;
  /**
   * Return the best hits by words alone; with `quick`, spellings that the dictionary knows count only as
   * far as they were loaded before.
   */
  searchWords(query: string, k?: number, options?: { signal?: AbortSignal; quick?: boolean }): Promise<Hit[]>;
}
