// Lists that refresh themselves. The tag of the last answer is kept here, so an unchanged list costs a 304 and no swap.
(() => {
  "use strict";
  if (!window.htmx) return;
  const body = document.body;
  const BUSY_MS = 4000;
  const held = new Map();
  const touched = new WeakMap();
  const isLive = (element) => element.matches("[data-live]");
  const near = (list, what) => list.previousElementSibling.querySelector(what);

  body.addEventListener("htmx:configRequest", (event) => {
    const { elt, headers } = event.detail;
    const token = document.querySelector("meta[name=yelen-token]");
    if (token) headers["X-Yelen-Jeton"] = token.content;
    if (isLive(elt)) headers["If-None-Match"] = elt.dataset.etag;
  });

  body.addEventListener("htmx:beforeRequest", (event) => {
    if (document.hidden && event.detail.requestConfig.path.includes("auto=1")) event.preventDefault();
  });

  body.addEventListener("htmx:beforeSwap", (event) => {
    const { target, xhr, serverResponse } = event.detail;
    if (!isLive(target) || xhr.status !== 200) return;
    target.dataset.etag = xhr.getResponseHeader("ETag") || "";
    if (isBusy(target)) {
      event.detail.shouldSwap = false;
      hold(target, serverResponse);
    } else {
      letGo(target);
    }
  });

  body.addEventListener("htmx:afterRequest", (event) => {
    const { elt, xhr } = event.detail;
    if (xhr.status < 200 || xhr.status > 399) return;
    yelen.answered(xhr.getResponseHeader("Date"));
    if (!isLive(elt)) return;
    yelen.say(near(elt, "[data-age]"), document.getElementById("liaison").dataset.old, yelen.hour(yelen.now()));
    if (held.has(elt) && !isBusy(elt)) show(elt);
  });

  for (const name of ["htmx:sendError", "htmx:timeout"]) body.addEventListener(name, yelen.lost);
  body.addEventListener("htmx:responseError", (event) => {
    const { status, responseText } = event.detail.xhr;
    if (status === 401) return;
    if (status >= 500) { yelen.lost(); return; }
    const page = new DOMParser().parseFromString(responseText, "text/html");
    yelen.refused((page.querySelector("[data-problem] p") || {}).textContent);
  });

  document.addEventListener("visibilitychange", () => {
    if (!document.hidden) document.querySelectorAll("[data-live]").forEach((list) => htmx.trigger(list, "revenir"));
  });

  // A list does not move under the pointer or the keyboard: changes wait, visibly, until the hand rests.
  for (const name of ["pointermove", "keydown", "focusin"]) {
    document.addEventListener(name, (event) => {
      const list = event.target.closest && event.target.closest("[data-live]");
      if (list) touched.set(list, performance.now());
    }, { passive: true });
  }

  function isBusy(list) { return performance.now() - (touched.get(list) || -BUSY_MS) < BUSY_MS; }

  function hold(list, html) {
    held.set(list, html);
    const button = near(list, "[data-show]");
    yelen.say(button, button.dataset.words, changes(list, html));
    button.hidden = false;
    button.onclick = () => show(list);
  }

  function show(list) {
    const html = held.get(list);
    letGo(list);
    htmx.swap(list, html, { swapStyle: "innerHTML" });
  }

  function letGo(list) {
    held.delete(list);
    near(list, "[data-show]").hidden = true;
    near(list, "[data-said]").textContent = near(list, "[data-said]").dataset.words;
  }

  function changes(list, html) {
    const rows = (root) => new Set([...root.querySelectorAll("[data-row]")].map((r) => r.dataset.row + "/" + r.dataset.version));
    const [before, after] = [rows(list), rows(new DOMParser().parseFromString(`<div>${html}</div>`, "text/html"))];
    return Math.max(1, [...after].filter((row) => !before.has(row)).length);
  }
})();
