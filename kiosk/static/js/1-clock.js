// Time as the server says it: the post's own clock may be wrong by a day. Ages of lists, waiting times, the cut line.
const yelen = (() => {
  "use strict";
  const meta = document.querySelector("meta[name=yelen-clock]");
  const offset = Number(meta.dataset.offset) * 60000;
  const cut = document.getElementById("liaison");
  let base = Number(meta.content) - performance.now();
  let good = performance.now();
  let lostAt = 0;

  const now = () => base + performance.now();
  const hour = (ms) => new Date(ms + offset).toISOString().slice(11, 16);
  const say = (element, words, value) => { element.textContent = words.replace("%s", value); };

  // The server answered: what is on the screen is as old as this answer.
  function answered(date) {
    const at = Date.parse(date);
    if (at) base = at - performance.now();
    good = performance.now();
    lostAt = 0;
    cut.hidden = true;
  }

  function lost() { lostAt = lostAt || performance.now(); tick(); }

  function refused(words) { cut.hidden = false; cut.textContent = words || cut.dataset.refused; }

  function tick() {
    if (!lostAt) return;
    const seconds = Math.round((performance.now() - lostAt) / 1000);
    cut.hidden = false;
    cut.textContent = cut.dataset.lost.replace("%s", seconds) + ", " + cut.dataset.old.replace("%s", hour(base + good));
  }

  function wait() {
    for (const cell of document.querySelectorAll("[data-since]")) {
      const minutes = Math.max(0, Math.floor((now() - Number(cell.dataset.since)) / 60000));
      cell.textContent = minutes < 60 ? minutes + " min"
        : minutes < 2880 ? Math.floor(minutes / 60) + " h " + String(minutes % 60).padStart(2, "0")
        : Math.floor(minutes / 1440) + " j";
    }
  }

  setInterval(tick, 1000);
  setInterval(wait, 15000);
  return { answered, lost, refused, hour, now, say };
})();
