/* Light or dark: by the sun over the agency, or as the person chose. Turns at dusk by itself, off line too. */
"use strict";
(() => {
  const page = document.getElementById("officer");
  const part = document.querySelector("[data-looks]");
  if (!page) { return; }
  const nights = page.dataset.nights.trim().split(/\s+/).filter(Boolean).map((pair) => pair.split("/").map((text) => Date.parse(text)));
  const chosen = () => (document.cookie.match(/(?:^|; )officer_look=(auto|light|dark)/) || [])[1] || page.dataset.look;

  const isNight = () => {
    const now = Date.now();
    // A copy kept for longer than its nights are known, and places where the sun does not set.
    if (!nights.length || now > nights[nights.length - 1][1]) { return page.dataset.dark === "1"; }
    return nights.some(([from, to]) => now >= from && now < to);
  };

  const show = () => {
    const look = chosen();
    document.body.classList.toggle("night", look === "dark" || (look === "auto" && isNight()));
    document.body.classList.toggle("day", look === "light");
    if (part) { part.querySelectorAll("[data-look]").forEach((button) => button.setAttribute("aria-pressed", String(button.dataset.look === look))); }
  };

  if (part) {
    part.hidden = false;
    part.addEventListener("click", (event) => {
      const button = event.target.closest("[data-look]");
      if (!button) { return; }
      document.cookie = `officer_look=${button.dataset.look}; path=/; max-age=31536000; SameSite=Lax`;
      page.dataset.look = button.dataset.look;
      show();
    });
  }
  show();
  setInterval(show, 60000);
})();
