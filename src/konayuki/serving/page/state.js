// What is being served, as far as the page knows, and small readings of it.

const listeners = [];

export const service = {
  known: false,
  hasIndex: false,
  writable: false,
  documents: 0,
  dim: 0,
  /** Take in what the service says of itself, and tell the views. */
  update(news) {
    Object.assign(this, news, { known: true });
    for (const listener of listeners) listener();
  },
};

export const whenServiceChanges = (listener) => listeners.push(listener);

/** Return the (key, value) pairs of metadata that a filter can ask for. */
export function facts(metadata) {
  return Object.entries(metadata).flatMap(([key, value]) =>
    (Array.isArray(value) ? value : [value])
      .filter((item) => item === null || typeof item !== "object")
      .map((item) => ({ key, value: item })),
  );
}
