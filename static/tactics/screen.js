/* The screen for notes: the server's own rules, applied before a text leaves the field. The server applies them again. */
"use strict";
window.MissionsScreen = (() => {
  const held = document.getElementById("screen-rules");
  const rules = (held ? JSON.parse(held.textContent) : []).map((rule) => ({
    ...rule,
    pattern: new RegExp(rule.pattern, rule.ignoreCase ? "gi" : "g"),
    unlessBefore: rule.unlessBefore ? new RegExp(rule.unlessBefore, "i") : null,
    unless: rule.unless ? new RegExp(rule.unless, "i") : null,
  }));

  const find = (text) => {
    const found = [];
    rules.forEach((rule) => {
      for (const match of text.matchAll(rule.pattern)) {
        const start = match.index;
        const end = start + match[0].length;
        if (rule.unlessBefore && rule.unlessBefore.test(text.slice(Math.max(0, start - 60), start))) { continue; }
        if (rule.unless && rule.unless.test(match[0])) { continue; }
        if (found.every((other) => end <= other.start || start >= other.end)) { found.push({ rule: rule.key, what: rule.what, start, end, found: match[0] }); }
      }
    });
    return found.sort((one, other) => one.start - other.start);
  };

  const says = (findings) => {
    const parts = findings.map((finding) => `${finding.what}: “${finding.found.trim()}”`);
    const told = parts.slice(0, 3).join("; ") + (parts.length > 3 ? gettext("; and more") : "");
    return interpolate(gettext("This looks like %(told)s. Notes are about places, never about persons, so nothing was stored. Take it out of the text, which is still in the field."), { told }, true);
  };

  /* True where the form's text may go; else its message is shown and the text stays. */
  const passes = (form) => {
    const field = form.querySelector("[data-screened]");
    const line = form.querySelector("[data-screen-says]");
    const findings = find(field.value.replace(/\s+/g, " ").trim());
    line.hidden = findings.length === 0;
    if (!findings.length) { return true; }
    line.textContent = says(findings);
    field.setAttribute("aria-invalid", "true");
    field.focus();
    return false;
  };

  document.addEventListener("input", (event) => {
    if (!event.target.matches("[data-screened]")) { return; }
    event.target.removeAttribute("aria-invalid");
    event.target.form.querySelector("[data-screen-says]").hidden = true;
  });

  return { find, says, passes };
})();
