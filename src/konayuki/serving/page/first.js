// Runs before the first paint, so that neither colours nor language flicker.
"use strict";
(() => {
  const read = (name) => {
    try {
      return localStorage.getItem(name);
    } catch {
      return null; // storage is off: defaults will do
    }
  };
  const theme = read("konayuki.theme");
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
  if (read("konayuki.language") === "en") document.documentElement.lang = "en";
})();
