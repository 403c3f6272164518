// Calls to the service. Addresses are relative, so the page also works below a path of a proxy.

import { say, sayError } from "./i18n.js";

const KEY = "konayuki.key";
const dialog = document.getElementById("key-dialog");

export class ServiceError extends Error {
  /** `detail` is what the service said, in English. */
  constructor(status, message, detail = "") {
    super(message);
    this.status = status;
    this.detail = detail;
  }
}

/** Return the error of an answer, in the language of the page. */
function refusal(status, answer) {
  const { code = "", message = "" } = answer?.error ?? {};
  return new ServiceError(status, sayError(code), message);
}

function headers(more = {}) {
  const key = sessionStorage.getItem(KEY);
  return key ? { ...more, Authorization: `Bearer ${key}` } : more;
}

/** Call the service with JSON and return its JSON; asks for a key if one is needed. */
export async function call(method, path, body, signal) {
  const options = { method, signal, headers: headers() };
  if (body !== undefined) {
    options.body = JSON.stringify(body);
    options.headers = headers({ "Content-Type": "application/json" });
  }
  let response;
  try {
    response = await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServiceError(0, say("offline"));
  }
  if (response.status === 401) {
    await askForKey();
    return call(method, path, body, signal);
  }
  const answer = await response.json();
  if (!response.ok) throw refusal(response.status, answer);
  return answer;
}

/** Send a file with progress; fetch cannot tell how much has gone. */
export function upload(name, content, onProgress) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("PUT", `files/${encodeURIComponent(name)}`);
    for (const [header, value] of Object.entries(headers())) request.setRequestHeader(header, value);
    request.setRequestHeader("Content-Type", "application/octet-stream");
    request.responseType = "json";
    request.upload.onprogress = (event) => onProgress(event.loaded / event.total);
    request.onerror = () => reject(new ServiceError(0, say("offline")));
    request.onload = async () => {
      if (request.status === 200) resolve(request.response);
      else if (request.status === 401) {
        await askForKey();
        upload(name, content, onProgress).then(resolve, reject);
      } else reject(refusal(request.status, request.response));
    };
    request.send(content);
  });
}

/** Return when the person has given a key; several calls share one dialog. */
function askForKey() {
  sessionStorage.removeItem(KEY);
  return new Promise((resolve) => {
    dialog.addEventListener(
      "close",
      () => {
        const field = document.getElementById("key");
        sessionStorage.setItem(KEY, field.value.trim());
        field.value = "";
        resolve();
      },
      { once: true },
    );
    if (!dialog.open) dialog.showModal();
  });
}

/** Keep Escape from closing the dialog without a key. */
dialog.addEventListener("cancel", (event) => event.preventDefault());
