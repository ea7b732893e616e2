/* What takes seconds says so: a form or a file that was asked for (data-waits holds the words), and a chart on its way. */
"use strict";
(() => {
  const CHARTS = "img.chart, img.model__chart";
  const lines = new Map();

  /* Beside what is busy, not in it: a screen reader says nothing of what is inside a busy part. There before its words
     are, because a status that comes with its words is not read out. */
  const lineFor = (asked) => {
    const line = document.createElement("p");
    line.className = "loading no-print";
    line.setAttribute("role", "status");
    (asked.closest(".head") || asked).after(line);
    lines.set(asked, line);
  };
  const begin = (asked) => {
    asked.setAttribute("aria-busy", "true");
    lines.get(asked).textContent = asked.dataset.waits;
  };
  const end = (asked) => {
    asked.removeAttribute("aria-busy");
    lines.get(asked).textContent = "";
  };
  document.querySelectorAll("[data-waits]").forEach(lineFor);

  // Nothing is disabled: the button that was pressed would leave its value out of the address.
  document.addEventListener("submit", (event) => {
    if (lines.has(event.target) && !event.defaultPrevented) { begin(event.target); }
  });
  // Whoever comes back finds the page as it was left, busy as well, out of the browser's own store.
  window.addEventListener("pageshow", (event) => { if (event.persisted) { [...lines.keys()].forEach(end); } });

  /* A file that is made while one waits. Only a fetch tells when it is there: a page never learns that of a link. */
  const nameOf = (response) => (/filename="([^"]+)"/.exec(response.headers.get("Content-Disposition") || "") || [])[1];
  const bring = async (link) => {
    begin(link);
    try {
      const response = await fetch(link.href, { credentials: "same-origin" });
      const name = nameOf(response);
      // A refusal and the sign-in are pages of their own: the browser shows them.
      if (!response.ok || !name) { location.assign(link.href); return; }
      const file = document.createElement("a");
      file.href = URL.createObjectURL(await response.blob());
      file.download = name;
      file.click();
      setTimeout(() => URL.revokeObjectURL(file.href), 60_000);
    } catch {
      location.assign(link.href);
    } finally {
      end(link);
    }
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-waits]");
    const isPlain = event.button === 0 && !(event.ctrlKey || event.metaKey || event.shiftKey || event.altKey);
    if (!link || !isPlain || event.defaultPrevented) { return; }
    event.preventDefault();
    if (!link.hasAttribute("aria-busy")) { bring(link); }
  });

  const missing = (chart) => {
    chart.classList.replace("is-waiting", "is-missing");
    const line = document.createElement("p");
    line.className = "note note--bad";
    line.textContent = gettext("This chart could not be loaded. Reload the page to try again.");
    chart.after(line);
  };
  document.querySelectorAll(CHARTS).forEach((chart) => {
    if (chart.complete && chart.naturalWidth) { return; }
    chart.classList.add("is-waiting");
    if (chart.complete && chart.currentSrc) { missing(chart); return; }
    chart.addEventListener("load", () => chart.classList.remove("is-waiting"), { once: true });
    chart.addEventListener("error", () => missing(chart), { once: true });
  });
})();
