// A button that was pressed waits for its answer: a double click is one act.
(() => {
  "use strict";
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method !== "post") return;
    setTimeout(() => event.target.querySelectorAll("button").forEach((b) => { b.disabled = true; }), 0);
  });
  addEventListener("pageshow", () => document.querySelectorAll("form button").forEach((b) => { b.disabled = false; }));

  // Up and down walk along a list, from row to row.
  document.addEventListener("keydown", (event) => {
    const row = event.target.closest && event.target.closest("tr[data-row]");
    const by = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!row || !by || event.target.closest("input, select, textarea")) return;
    const links = [...document.querySelectorAll("tr[data-row] td:nth-child(2) a")];
    const next = links[links.indexOf(row.querySelector("td:nth-child(2) a")) + by];
    if (next) { event.preventDefault(); next.focus(); }
  });
})();
