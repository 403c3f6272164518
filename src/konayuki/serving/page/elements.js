// Building nodes. Text only ever goes in as text: nothing on this page parses HTML.

/** Return a new element with properties and children; strings become text nodes. */
export function make(tag, properties = {}, ...children) {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children.filter((child) => child !== null));
  return node;
}

/** Return a function that runs `act` once its calls pause for some milliseconds. */
export function debounce(act, ms) {
  let timer = 0;
  return (...args) => {
    clearTimeout(timer);
    timer = setTimeout(act, ms, ...args);
  };
}
