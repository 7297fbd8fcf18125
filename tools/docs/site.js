"use strict";
(() => {
  const side = document.getElementById("side");
  const find = document.getElementById("find");
  const hits = document.getElementById("hits");
  const nav = side.querySelector("nav");

  // ---- search: names that begin so, names that contain it, then words of the summaries
  const index = JSON.parse(document.getElementById("index").textContent);
  let chosen = 0;
  const score = (entry, words) => {
    const name = entry.n.toLowerCase(), bare = name.replace(/^rv_/, "");
    let sum = 0;
    for (const word of words) {
      const at = name.indexOf(word);
      if (name === word || bare === word) sum += 100;
      else if (name.startsWith(word) || bare.startsWith(word)) sum += 60;
      else if (at >= 0) sum += name[at - 1] === "_" || name[at - 1] === " " ? 40 : 25;
      else if (entry.s.toLowerCase().includes(word)) sum += 8;
      else return 0;
    }
    return sum - name.length / 100;
  };
  const choose = (n) => {
    const all = hits.querySelectorAll("a");
    if (!all.length) return;
    chosen = (n + all.length) % all.length;
    all.forEach((a, i) => a.classList.toggle("on", i === chosen));
    all[chosen].scrollIntoView({ block: "nearest" });
  };
  const search = () => {
    const words = find.value.toLowerCase().split(/[\s()]+/).filter(Boolean);
    hits.hidden = !words.length;
    nav.hidden = !!words.length;
    hits.textContent = "";
    if (!words.length) return;
    const found = index.map((e) => [score(e, words), e]).filter((p) => p[0] > 0)
      .sort((a, b) => b[0] - a[0]).slice(0, 40);
    for (const [, entry] of found) {
      const a = hits.appendChild(document.createElement("a"));
      a.href = entry.u;
      a.appendChild(document.createElement("b")).textContent = entry.n;
      a.appendChild(document.createElement("span")).textContent = entry.s;
    }
    if (!found.length)
      hits.appendChild(document.createElement("p")).textContent = "nothing of that name";
    choose(0);
  };
  const leave = () => { find.value = ""; search(); find.blur(); side.classList.remove("open"); };
  find.addEventListener("input", search);
  find.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      choose(chosen + (event.key === "ArrowDown" ? 1 : -1));
    } else if (event.key === "Enter") {
      const a = hits.querySelector("a.on");
      if (a) { location.href = a.href; leave(); }
    } else if (event.key === "Escape") leave();
  });
  hits.addEventListener("click", leave);
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || document.activeElement === find) return;
    event.preventDefault();
    find.focus();
  });
  document.getElementById("menu").onclick = () => side.classList.toggle("open");

  // ---- where the reader is, in the navigation
  const links = new Map([...nav.querySelectorAll("a[href^='#']")].map((a) => [a.hash.slice(1), a]));
  let here = null;
  const mark = (id) => {
    const link = links.get(id);
    if (!link || link === here) return;
    if (here) here.classList.remove("here");
    here = link;
    here.classList.add("here");
    const details = here.closest("details");
    if (details && !details.open) {
      nav.querySelectorAll("details[open]").forEach((d) => { d.open = false; });
      details.open = true;
    }
    if (nav.scrollHeight > nav.clientHeight) {
      const box = here.getBoundingClientRect(), frame = nav.getBoundingClientRect();
      if (box.top < frame.top || box.bottom > frame.bottom)
        nav.scrollTop += box.top - frame.top - frame.height / 3;
    }
  };
  const places = [...links.keys()].map((id) => document.getElementById(id)).filter(Boolean)
    .sort((a, b) => a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING ? -1 : 1);
  const look = () => {
    const line = innerHeight / 4;
    let last = null;
    for (const place of places) {
      if (place.getBoundingClientRect().top > line) break;
      last = place;
    }
    if (last) mark(last.id);
  };
  let looking = false;
  addEventListener("scroll", () => {
    if (looking) return;
    looking = true;
    requestAnimationFrame(() => { looking = false; look(); });
  }, { passive: true });
  look();
  nav.addEventListener("click", (event) => {
    if (event.target.closest("a")) side.classList.remove("open");
  });
})();
