// Dropped, chosen or pasted text into the index, one after the other, with progress.

import { make } from "./elements.js";
import { say } from "./i18n.js";
import { upload } from "./service.js";
import { service } from "./state.js";

const drop = document.getElementById("drop");
const chooser = document.getElementById("files");
const paste = document.getElementById("paste");
const list = document.getElementById("uploads");

let queue = Promise.resolve();

/** Add a file when those before it are through. */
function enqueue(name, content) {
  const row = uploadRow(name);
  row.say(say("waiting"));
  list.prepend(row.node);
  queue = queue.then(() => send(name, content, row));
}

async function send(name, content, row) {
  row.say(say("sending"));
  try {
    const answer = await upload(name, content, (share) => {
      row.progress(share);
      if (share === 1) row.say(say("indexing"));
    });
    if (answer.stored) row.done(say("added", { n: answer.stored }));
    else row.fail(say("failed", { why: say("error_empty_file") }));
    service.update({ documents: answer.documents });
  } catch (error) {
    row.fail(say("failed", { why: error.message }), error.detail);
  }
}

/** Return the files of what was dropped, those in folders with their path, and how many are of no known kind. */
async function filesOf(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean);
  if (!entries.some((entry) => entry.isDirectory)) return { files: [...transfer.files].map((file) => [file.name, file]), skipped: 0 };
  const files = [];
  let skipped = 0;
  const readable = new Set(chooser.accept.split(","));
  async function walk(entry, path) {
    if (entry.isDirectory) for (const child of await children(entry)) await walk(child, `${path}${entry.name}/`);
    else if (path && (entry.name.startsWith(".") || !readable.has(suffixOf(entry.name)))) skipped += 1;
    else files.push([path + entry.name, await new Promise((resolve, reject) => entry.file(resolve, reject))]);
  }
  for (const entry of entries) await walk(entry, "");
  return { files, skipped };
}

const suffixOf = (name) => name.slice(name.lastIndexOf(".")).toLowerCase();

/** Return what is in a dropped folder; browsers give it in parts. */
async function children(folder) {
  const reader = folder.createReader();
  const all = [];
  for (;;) {
    const part = await new Promise((resolve, reject) => reader.readEntries(resolve, reject));
    if (!part.length) return all.filter(({ name }) => !name.startsWith("."));
    all.push(...part);
  }
}

async function addDropped(transfer) {
  const { files, skipped } = await filesOf(transfer);
  for (const [name, file] of files) enqueue(name, file);
  if (skipped) list.prepend(make("li", { className: "skipped", textContent: say("skipped", { n: skipped }) }));
}

function uploadRow(name) {
  const note = make("span", { className: "note" });
  const bar = make("progress", { max: 1, value: 0 });
  bar.setAttribute("aria-label", name);
  const node = make("li", {}, make("b", { textContent: name }), bar, note);
  return {
    node,
    say: (text) => (note.textContent = text),
    progress: (share) => (share < 1 ? (bar.value = share) : bar.removeAttribute("value")),
    done: (text) => finish("done", text),
    fail: (text, detail) => finish("bad", text, detail),
  };
  function finish(kind, text, detail = "") {
    bar.remove();
    node.classList.add(kind);
    note.textContent = text;
    note.title = detail;
  }
}

const carriesFiles = (event) => event.dataTransfer?.types.includes("Files");

/** Show what can be added on this server. */
export function refresh() {
  const closed = service.known && !service.writable;
  for (const control of [chooser, ...paste.elements]) control.disabled = closed;
  drop.classList.toggle("closed", closed);
  if (closed && !list.children.length)
    list.append(make("li", { className: "bad" }, say(service.hasIndex ? "read_only" : "no_index")));
}

export function start() {
  chooser.addEventListener("change", () => {
    for (const file of chooser.files) enqueue(file.name, file);
    chooser.value = "";
  });
  paste.addEventListener("submit", (event) => {
    event.preventDefault();
    const [title, text] = [document.getElementById("paste-title"), document.getElementById("paste-text")];
    enqueue(`${title.value.trim()}.txt`, text.value);
    title.value = text.value = "";
  });
  // Anywhere on the page: a file that misses the box must not replace the page.
  document.addEventListener("dragover", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    drop.classList.add("over");
    if (service.writable) location.hash = "#add";
  });
  document.addEventListener("dragleave", (event) => event.relatedTarget ?? drop.classList.remove("over"));
  document.addEventListener("drop", (event) => {
    if (!carriesFiles(event)) return;
    event.preventDefault();
    drop.classList.remove("over");
    if (service.writable) addDropped(event.dataTransfer);
  });
}
