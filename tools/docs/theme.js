"use strict";
// Light and dark: the system's choice until the reader makes one, for the reference and the map.
(() => {
  const root = document.documentElement;
  const button = document.getElementById("theme");
  const system = matchMedia("(prefers-color-scheme: dark)");
  let choice = null;      // pages opened from a disk may have no storage
  try { choice = localStorage.getItem("ravel-theme"); } catch { /* then it lasts for this page */ }
  const paint = () => {
    root.dataset.theme = choice || (system.matches ? "dark" : "light");
    button.textContent = root.dataset.theme === "dark" ? "light" : "dark";
  };
  button.onclick = () => {
    choice = root.dataset.theme === "dark" ? "light" : "dark";
    try { localStorage.setItem("ravel-theme", choice); } catch { /* likewise */ }
    paint();
  };
  system.addEventListener("change", paint);
  addEventListener("beforeprint", () => { root.dataset.theme = "light"; });
  addEventListener("afterprint", paint);
  paint();
})();
