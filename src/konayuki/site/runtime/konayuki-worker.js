// The search of a site behind messages, so that a page stays responsive: in a worker, or behind a
// MessagePort in the page itself if the browser or its policy refuses the worker.
//
// In:  { id, query, k, meaning }    meaning: "auto", "always" or "never"
//      {}                           be ready: a question is likely to follow
// Out: { id, stage: "words" | "meaning", hits, last }   last: nothing else follows for this id
//      { id, error }
//      { loaded, total }            bytes of the model and the vectors

import { Site, SiteError, reader } from "./konayuki.js";

const CACHE = "konayuki";
const FIRST_HITS = 6; // each in a file of its own, and browsers load six at a time; shown while the model is loaded for the first time; more follow
const PATIENCE_MS = 90; // if meaning takes longer, words are shown first

/** Answer the messages of a port. */
export function attend(port, base = new URL("./", import.meta.url)) {
  let opening = null;
  let running = new AbortController();

  const open = () => {
    if (!opening) {
      opening = Site.open(base);
      opening.catch(() => (opening = null));
    }
    return opening;
  };

  async function answer({ id, query, k, meaning }, signal) {
    const site = await open();
    const post = (stage, hits, last) => signal.aborted || port.postMessage({ id, stage, hits, last });
    const wanted = meaning === "always" || (meaning === "auto" && !savesData());
    if (!site.meaning) {
      // Words first: the megabytes of the model would slow down their few kilobytes.
      const hits = await site.searchWords(query, Math.min(k, FIRST_HITS), { signal, quick: true });
      if (hits.length) post("words", hits, false);
      await pause(); // in a page without a worker they are shown before the rest is looked for
      signal.throwIfAborted();
    }
    if (!wanted || (meaning === "auto" && site.failed)) return post("words", await site.searchWords(query, k, { signal }), true);
    const loading = site.loadMeaning(keeping(base, site.manifest, (progress) => port.postMessage(progress)));
    loading.catch(() => (site.failed = true)); // no second download of megabytes on a bad line
    const ready = Boolean(site.meaning);
    const found = loading.then(() => site.search(query, k, { signal }));
    found.catch(() => {}); // is awaited below
    if (!ready || !(await settles(found))) post("words", await site.searchWords(query, k, { signal }), false);
    try {
      post("meaning", await found, true);
    } catch (error) {
      if (signal.aborted || isGone(error)) throw error;
      post("words", await site.searchWords(query, k, { signal }), true);
    }
  }

  port.onmessage = async ({ data }) => {
    if (data.query === undefined) return void open().catch(() => {}); // the question will say it
    running.abort();
    const { signal } = (running = new AbortController());
    try {
      try {
        await answer(data, signal);
      } catch (error) {
        if (signal.aborted || !isGone(error)) throw error;
        opening = null; // the site was published anew meanwhile
        await answer(data, signal);
      }
    } catch (error) {
      if (!signal.aborted) port.postMessage({ id: data.id, error: String(error.message ?? error) });
    }
  };
}

const savesData = () => globalThis.navigator?.connection?.saveData === true;

const isGone = (error) => error instanceof SiteError && error.status === 404;

const pause = () => new Promise((resolve) => setTimeout(resolve));

const settles = (promise) =>
  Promise.race([
    promise.then(
      () => true,
      () => true,
    ),
    new Promise((resolve) => setTimeout(resolve, PATIENCE_MS, false)),
  ]);

/** Return a reader that keeps the large files in the browser's cache and reports its progress. */
function keeping(base, manifest, report) {
  const files = [manifest.model, manifest.vectors];
  const total = files.reduce((sum, { bytes }) => sum + bytes, 0);
  const loaded = new Map();
  const note = (name, bytes) => {
    loaded.set(name, bytes);
    report({ loaded: [...loaded.values()].reduce((sum, n) => sum + n, 0), total });
  };
  return async (name) => {
    const url = new URL(name, base).href;
    const cache = await globalThis.caches?.open(CACHE).catch(() => null); // none in private windows
    const known = await cache?.match(url);
    if (known) {
      const bytes = new Uint8Array(await known.arrayBuffer());
      note(name, bytes.length);
      return bytes;
    }
    const bytes = await download(url, (n) => note(name, n)).catch((error) => {
      if (error instanceof SiteError) throw error;
      return reader(base)(name);
    });
    await cache?.put(url, new Response(bytes)).catch(() => {}); // no room: it is loaded again next time
    await forget(cache, base, files);
    return bytes;
  };
}

async function download(url, note) {
  const answer = await fetch(url, { credentials: "same-origin", priority: "low" });
  if (!answer.ok) throw new SiteError(`${url}: status ${answer.status}`, { status: answer.status });
  const parts = [];
  let size = 0;
  const source = answer.body.getReader();
  for (;;) {
    const { done, value } = await source.read();
    if (done) break;
    parts.push(value);
    note((size += value.length));
  }
  const bytes = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** Remove what earlier builds of this site left in the cache. */
async function forget(cache, base, files) {
  const current = new Set(files.map(({ file }) => new URL(file, base).href));
  for (const { url } of (await cache?.keys()) ?? [])
    if (url.startsWith(new URL(base).href) && !current.has(url)) await cache.delete(url);
}

if (typeof WorkerGlobalScope !== "undefined" && self instanceof WorkerGlobalScope) {
  attend(self);
  self.postMessage({ ready: true });
}
