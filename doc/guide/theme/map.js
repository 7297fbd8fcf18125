"use strict";
(() => {
  const side = document.getElementById("side");
  const menu = document.getElementById("menu");
  const open = (is_open) => {
    side.classList.toggle("open", is_open);
    menu.setAttribute("aria-expanded", String(is_open));
  };
  menu.onclick = () => open(!side.classList.contains("open"));
  side.querySelector("nav").addEventListener("click", (e) => e.target.closest("a") && open(false));
  addEventListener("keydown", (e) => e.key === "Escape" && open(false));
})();
