// Wheel, keys and mouse on a viewer whose every address also works without this file.
(() => {
  "use strict";
  const SLOW_MS = 250;
  const on = (element, name, act, how) => element.addEventListener(name, act, how);
  const KEYS = { ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1, PageDown: 10, PageUp: -10, Home: -1e6, End: 1e6 };

  function start(box) {
    const find = (selector) => box.querySelector(selector);
    const img = find("[data-frame]"), picture = find("[data-picture]"), data = box.dataset;
    if (!img || data.started) return;
    data.started = "1";
    const url = new URL(img.src), asked = url.searchParams, total = +data.total, first = +data.number, count = find("[data-count]");
    let number = first, c = parseFloat(data.c), w = parseFloat(data.w);
    let images = null, forward = 1, sent = 0, loading = !img.complete, timer = 0, ahead = [];
    const centre = () => picture.scrollTo(
      (picture.scrollWidth - picture.clientWidth) / 2, (picture.scrollHeight - picture.clientHeight) / 2);
    if (img.complete) centre(); else on(img, "load", centre, { once: true });
    fetch(data.images).then((r) => r.json()).then((found) => { images = found.images; draw(); preload(); }, failed);

    // `s` says that a picture is looked at: the page's own has it, `7-seen.js` tells of the others when they are shown.
    const source = (n) => {
      url.pathname = `/img/${images[n - 1][0]}/frame`;
      asked.set("f", images[n - 1][1]);
      asked[n === first ? "set" : "delete"]("s", data.serie);
      return url.href;
    };

    // The number always says which picture was asked for, and whether it is the one on the screen.
    function say(what) { count.textContent = `${number} / ${total}${what}`; }
    function failed() { loading = false; say(` – ${count.dataset.failed}`); }

    // The newest wish wins: a picture that comes quickly is shown, a slow one that is no longer wanted is given up.
    function draw() {
      if (!images) return;
      const wait = SLOW_MS - (performance.now() - sent);
      clearTimeout(timer);
      if (loading && wait > 0) { timer = setTimeout(draw, wait); return; }
      const wanted = source(number);
      if (wanted === img.src) return;
      for (const early of ahead) early.src = "";
      ahead = [];
      loading = true;
      sent = performance.now();
      picture.classList.add("late");
      img.src = wanted;
    }

    function preload() {
      for (const n of [number + forward, number + 2 * forward, number - forward]) {
        if (n < 1 || n > total) continue;
        ahead.push(new Image());
        ahead[ahead.length - 1].src = source(n);
      }
    }

    on(img, "load", () => {
      loading = false;
      if (!images) return;
      if (source(number) !== img.src) { draw(); return; }
      say("");
      picture.classList.remove("late");
      preload();
    });
    on(img, "error", failed);

    function go(by) {
      const next = Math.min(Math.max(number + by, 1), total);
      if (next === number) return;
      forward = next > number ? 1 : -1;
      number = next;
      say(" …");
      for (const link of box.querySelectorAll("[data-step]")) {
        const to = number + +link.dataset.step;
        link.setAttribute("aria-disabled", to < 1 || to > total);
      }
      remember({ image: number });
      draw();
    }

    function look(middle, width) {
      if (!images || !(width >= 1) || !isFinite(middle)) return;
      [c, w] = [middle, width].map((value) => Math.round(value * 10) / 10);
      const values = { c, w };
      for (const name in values) {
        find(`[name=${name}]`).value = values[name];
        asked.set(name, values[name]);
      }
      for (const link of box.querySelectorAll(".presets [aria-current]")) link.removeAttribute("aria-current");
      remember(values);
      draw();
    }

    // The address bar and the links follow, so that reloading or enlarging shows the same picture.
    function remember(values) {
      values.serie = data.serie;
      const follow = (address) => {
        const to = new URL(address, location);
        for (const name in values) to.searchParams.set(name, values[name]);
        return to.pathname + to.search;
      };
      history.replaceState(null, "", follow(location));
      if (find("[name=image]")) find("[name=image]").value = number;
      for (const link of box.querySelectorAll(".zooms a")) link.href = follow(link.href);
    }

    on(box, "click", (event) => {
      const link = event.target.closest("[data-step], .presets a");
      if (!link || event.ctrlKey || !images) return;
      const asked = new URL(link.href).searchParams;
      if (link.dataset.step) go(+link.dataset.step);
      else if (!asked.has("w")) return;
      else {
        look(+asked.get("c"), +asked.get("w"));
        link.setAttribute("aria-current", "true");
      }
      event.preventDefault();
    });
    on(box, "submit", (event) => {
      event.preventDefault();
      look(...["c", "w"].map((name) => parseFloat(find(`[name=${name}]`).value.replace(",", "."))));
    });
    on(picture, "wheel", (event) => { event.preventDefault(); go(Math.sign(event.deltaY)); });
    on(picture, "pointerdown", (event) => {
      if (event.button !== 0 || event.target !== img || !isFinite(w)) return;
      const [x, y, c0, w0] = [event.clientX, event.clientY, c, w];
      picture.setPointerCapture(event.pointerId);
      picture.onpointermove = (move) =>
        look(c0 + (move.clientY - y) * w0 / 300, Math.max(1, w0 * (1 + (move.clientX - x) / 300)));
      picture.onpointerup = picture.onpointercancel = () => { picture.onpointermove = null; };
    });
    on(document, "keydown", (event) => {
      if (!box.isConnected || event.ctrlKey || event.altKey || event.target.closest("input, textarea, select")) return;
      if (event.key in KEYS) { event.preventDefault(); go(KEYS[event.key]); }
    });
  }

  const all = () => document.querySelectorAll("[data-viewer]").forEach(start);
  all();
  on(document.body, "htmx:afterSettle", all);
  on(document.body, "htmx:configRequest", ({ detail }) => {
    if (detail.elt.matches(".zooms a")) detail.path = detail.elt.getAttribute("href");
  });
})();
