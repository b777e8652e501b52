// The draft goes to the server every five seconds while somebody types, and once more when the page is left.
(() => {
  "use strict";
  const form = document.querySelector("[data-desk]");
  if (!form || !window.htmx) return;
  const note = form.querySelector("[data-draft]");
  let typed = 0, sending = 0, saved = 0, failedAt = 0, leaving = false;

  form.addEventListener("input", () => { typed += 1; });
  form.addEventListener("submit", () => { leaving = true; });
  setInterval(() => {
    if (typed > saved && !sending) { sending = typed; htmx.trigger(note, "brouillon"); }
    if (failedAt) yelen.say(note, note.dataset.failed, Math.round((performance.now() - failedAt) / 1000));
  }, 5000);

  note.addEventListener("htmx:afterRequest", (event) => {
    if (event.detail.xhr.status === 200) { saved = sending; failedAt = 0; } else { failedAt = failedAt || performance.now(); }
    sending = 0;
    note.classList.toggle("bad", failedAt > 0);
  });

  addEventListener("pagehide", () => {
    if (typed === saved || leaving) return;
    fetch(note.getAttribute("hx-post"), { method: "POST", body: new URLSearchParams(new FormData(form)), keepalive: true });
  });
})();
