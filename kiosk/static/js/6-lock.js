// Some seconds before the post locks, say so and offer to stay; when the time is over, ask the server, which decides.
(() => {
  "use strict";
  const box = document.getElementById("verrou");
  if (!box || !window.htmx) return;
  const WARN_S = 25;
  const idle = Number(box.dataset.idle);
  const words = box.querySelector("span");
  let active = performance.now();

  const stay = () => { active = performance.now(); box.hidden = true; };
  const isOurs = (path) => !path.includes("auto=1");
  document.body.addEventListener("htmx:afterRequest", (event) => {
    const { requestConfig, xhr } = event.detail;
    if (xhr.status >= 200 && xhr.status < 400 && isOurs(requestConfig.path)) stay();
  });
  document.body.addEventListener("load", (event) => { if (event.target.matches("[data-frame]")) stay(); }, true);
  box.querySelector("button").addEventListener("click", () => fetch(box.dataset.stay).then((r) => { if (r.ok) stay(); }));

  setInterval(() => {
    const left = Math.round(idle - (performance.now() - active) / 1000);
    box.hidden = left > WARN_S;
    if (!box.hidden) words.textContent = words.dataset.words.replace("%s", Math.max(left, 0));
    if (left < 0) htmx.trigger(".foot-in", "veiller");
  }, 1000);
})();
