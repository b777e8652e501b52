// Which pictures were on the screen is told in a while and when the page is left; what was only fetched ahead is not.
(() => {
  "use strict";
  const token = document.querySelector("meta[name=yelen-token]"), shown = new Map();

  document.addEventListener("load", ({ target }) => {
    if (!target.matches || !target.matches("[data-frame]")) return;
    const url = new URL(target.src), serie = target.closest("[data-viewer]").dataset.serie;
    if (url.searchParams.has("s")) return;
    if (!shown.has(serie)) shown.set(serie, new Set());
    shown.get(serie).add(`${url.pathname.split("/")[2]}.${url.searchParams.get("f")}`);
  }, true);

  function tell() {
    for (const [serie, pictures] of shown) {
      const body = new URLSearchParams({ jeton: token.content, vues: [...pictures].join(" ") });
      fetch(`/serie/${serie}/vues`, { method: "POST", body, keepalive: true });
    }
    shown.clear();
  }
  setInterval(tell, 1500);
  addEventListener("pagehide", tell);
})();
