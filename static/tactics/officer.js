/* The officer's page: the timer counts up from the server's clock, buttons are pressed once, words do not go stale. */
"use strict";
(() => {
  const loadedAt = Date.now();
  const timer = document.querySelector("[data-timer]");
  const chip = document.querySelector("[data-from]");
  const title = document.title;
  let reached = false;

  const tickTimer = () => {
    // The phone's clock may be wrong: only its differences are used, on top of what the server counted.
    const seconds = Number(timer.dataset.seconds) + (Date.now() - loadedAt) / 1000;
    const dose = Number(timer.dataset.doseMinutes) * 60;
    const hours = Math.floor(seconds / 3600);
    const clock = [Math.floor((seconds % 3600) / 60), Math.floor(seconds % 60)].map((n) => String(n).padStart(2, "0")).join(":");
    timer.querySelector(".timer__clock").textContent = hours ? `${hours}:${clock}` : clock;
    const fill = timer.querySelector(".timer__fill");
    fill.setAttribute("stroke-dasharray", `${Math.min(100, (100 * seconds) / dose).toFixed(1)} 100`);
    if (seconds >= dose && !reached) {
      reached = true;
      fill.classList.add("timer__fill--full");
      document.querySelector("[data-reached]").hidden = false;
      document.title = `✓ ${title}`;
      // Only when it is reached while the officer looks on, not again at every reload.
      if (Number(timer.dataset.seconds) < dose && navigator.vibrate) { navigator.vibrate(60); }
    }
  };

  const tickChip = () => {
    const now = Date.now();
    const from = Date.parse(chip.dataset.from);
    const to = Date.parse(chip.dataset.to);
    const minutes = Math.round((from - now) / 60000);
    if (now > to) { chip.textContent = "Window passed"; }
    else if (now >= from) { chip.textContent = "Due now"; }
    else if (minutes < 100) { chip.textContent = `In ${Math.max(1, minutes)} min`; }
  };

  if (timer) { tickTimer(); setInterval(tickTimer, 1000); }
  if (chip) { tickChip(); setInterval(tickChip, 15000); }

  // A double tap sends one form; the server would bear the second, the officer need not wait for it.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("[data-once]")) { return; }
    if (event.target.dataset.sent) { event.preventDefault(); return; }
    event.target.dataset.sent = "1";
    event.target.querySelector("button").setAttribute("aria-busy", "true");
  });

  // Coming back to the page: a plan may have been published, a colleague may have pressed Left.
  window.addEventListener("pageshow", (event) => { if (event.persisted) { location.reload(); } });
  document.addEventListener("visibilitychange", () => {
    if (!document.hidden && Date.now() - loadedAt > 60000) { location.reload(); }
  });

  // A session that ended answers with the sign-in page: it must not appear among the tactics.
  document.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.xhr.responseURL && !event.detail.xhr.responseURL.includes("/tactic/")) {
      event.detail.shouldSwap = false;
      location.reload();
    }
  });
})();
