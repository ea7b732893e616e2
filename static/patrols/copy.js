/* Buttons that put a text, or an address in full, on the clipboard: data-copy="id of the field", data-copy-link="/path". */
"use strict";
(() => {
  const toClipboard = async (text, field) => {
    try {
      await navigator.clipboard.writeText(text);
      return true;
    } catch {
      // Without TLS browsers have no clipboard for scripts: the text is selected, and the key does the rest.
      if (field) { field.focus(); field.select(); }
      return false;
    }
  };

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy], [data-copy-link]");
    if (!button) { return; }
    const field = button.dataset.copy ? document.getElementById(button.dataset.copy) : null;
    const text = field ? field.value : new URL(button.dataset.copyLink, location.href).href;
    const done = await toClipboard(text, field);
    const told = button.closest("section, form, main").querySelector("[data-copied]");
    if (told) { told.textContent = done ? gettext("Copied.") : field ? gettext("Selected: press Ctrl+C to copy.") : interpolate(gettext("The link is this page's address: %(text)s"), { text }, true); }
  });
})();
