/* The officer's page. Every press goes into the queue and shows at once; the queue goes to the server when it can. What
   waits is laid over the page as the server made it, so that the page is right off line too. */
"use strict";
(() => {
  const page = document.getElementById("officer");
  if (!page) { return; }
  const queue = window.MissionsQueue;
  const told = page.dataset;
  const owner = `${told.agency}:${told.person}`;
  const loadedAt = Date.now();
  const one = (selector, from = document) => from.querySelector(selector);
  const every = (selector) => [...document.querySelectorAll(selector)];
  const card = one("[data-card]");
  const here = card ? card.dataset.mission : "";
  const timer = one("[data-timer]");
  const chip = one("[data-state]");
  const title = document.title;
  const field = one("#note-text");
  const draftKey = `missions-draft:${owner}:${told.base}${here}`;
  /* Presses of this page that the server has taken: what it shows is still from before them. */
  const taken = [];
  let state = "";
  let reached = null;

  if (told.fresh === "1") {
    // The middle between question and answer, not when this script runs: on a slow line these are seconds apart.
    const [way] = performance.getEntriesByType("navigation");
    queue.heard(Date.parse(told.now), way && way.responseStart ? performance.timeOrigin + (way.requestStart + way.responseStart) / 2 : loadedAt);
  }
  const now = () => Date.now() + (queue.skew() || 0);
  const at = (row) => row.device_at + (row.skew_ms || 0);
  const clock = (instant) => {
    const options = { hour: "2-digit", minute: "2-digit", hour12: document.documentElement.dataset.clock === "12" };
    try { return new Intl.DateTimeFormat("en-GB", { ...options, timeZone: told.zone }).format(instant); } catch { return new Intl.DateTimeFormat("en-GB", options).format(instant); }
  };

  /* Play what was pressed on top of what the server said. */
  const play = (rows) => {
    const seen = { running: told.running ? { mission: told.running, number: told.runningNumber, at: Date.parse(told.runningAt) } : null, left: {}, visited: new Set(), ticks: {}, notes: [], last: null };
    const leave = (instant) => {
      seen.left[seen.running.mission] = true;
      seen.last = { number: seen.running.number, mission: seen.running.mission, minutes: Math.max(0, Math.round((instant - seen.running.at) / 60000)) };
      seen.running = null;
    };
    rows.forEach((row) => {
      if (row.kind === "arrived" && !(seen.running && seen.running.mission === row.mission)) {
        if (seen.running) { leave(at(row)); }
        seen.running = { mission: row.mission, number: row.number, at: at(row) };
        delete seen.left[row.mission];
        seen.visited.add(row.mission);
        // Ticks belong to a visit: a new one begins without any.
        if (row.mission === here) { every("[data-tactic]").forEach((form) => { seen.ticks[form.dataset.tactic] = false; }); seen.notes = []; seen.anew = true; }
      } else if (row.kind === "left" && seen.running && seen.running.mission === row.mission) {
        leave(at(row));
      } else if (row.mission === here && row.kind === "tactic") {
        seen.ticks[row.tactic] = row.used;
      } else if (row.mission === here && row.kind === "note") {
        seen.notes.push(row);
      }
    });
    return seen;
  };

  const inStead = () => every('form[data-press="left"]:not([hidden]) button, form[data-press="arrived"]:not([hidden]) button, [data-next]:not([hidden])')[0];

  /* A page that loads itself anew would send whoever works by keys back to its start. */
  const keepFocus = () => {
    const held = document.activeElement;
    if (held && held !== document.body && held.matches(":focus-visible")) { sessionStorage.setItem("missions-focus", held.id || "press"); }
  };
  const giveFocus = () => {
    const kept = sessionStorage.getItem("missions-focus");
    sessionStorage.removeItem("missions-focus");
    // After the last mission there is no button any more: what the page offers first.
    const back = kept && (document.getElementById(kept) || inStead() || every("#main a[href]").find((link) => link.checkVisibility()));
    if (back) { back.focus({ preventScroll: true }); }
  };

  const showCard = (seen) => {
    const isHere = Boolean(seen.running && seen.running.mission === here);
    const gone = Boolean(seen.left[here]) && !isHere;
    const pressed = document.activeElement && document.activeElement.closest("form[data-press], [data-next]");
    every("[data-when]").forEach((part) => { part.hidden = (part.dataset.when === "here") !== isHere; });
    if (isHere) {
      timer.dataset.arrived = new Date(seen.running.at).toISOString();
      if (seen.visited.has(here)) { one("[data-since]").textContent = clock(seen.running.at); }
      chip.textContent = gettext("You are here");
      card.classList.add("mission-card--here");
    } else {
      timer.dataset.arrived = "";
      card.classList.remove("mission-card--here");
      if (gone) { chip.textContent = gettext("Done"); delete chip.dataset.from; }
    }
    const arrive = one('form[data-press="arrived"]');
    const following = gone && every("[data-row]").find((row) => !["done", "withdrawn", "here"].includes(row.dataset.rowState) && row.dataset.row !== here && !seen.left[row.dataset.row]);
    one('form[data-press="left"]').hidden = !isHere;
    arrive.hidden = isHere || "withdrawn" in arrive.dataset || Boolean(following);
    if (gone) { one("button", arrive).textContent = gettext("Arrived again"); }
    const next = one("[data-next]");
    next.hidden = !following;
    if (following) { next.href = one("a", following).href; next.textContent = interpolate(gettext("Next: mission %(number)s"), { number: following.dataset.number }, true); }
    const hint = one("[data-running-hint]");
    hint.hidden = isHere || !seen.running;
    if (seen.running) { one("span", hint).textContent = seen.running.number; }
    // Whoever pressed a button that goes away finds the focus on the one that comes in its stead.
    if (pressed && pressed.hidden) {
      const stead = inStead();
      if (stead) { stead.focus({ preventScroll: true }); }
    }
    const may = card.dataset.visited === "1" || seen.visited.has(here);
    every(".tactic__button").forEach((button) => { button.disabled = !may; });
    one("[data-before-arrival]").hidden = may;
    one("[data-note-part]").hidden = !may;
  };

  const showTicks = (seen) => {
    every("[data-tactic]").forEach((form) => {
      const button = one("button", form);
      if (!("first" in form.dataset)) { form.dataset.first = button.getAttribute("aria-pressed"); }
      const used = form.dataset.tactic in seen.ticks ? seen.ticks[form.dataset.tactic] : form.dataset.first === "true";
      button.setAttribute("aria-pressed", String(used));
      button.value = used ? "0" : "1";
      form.parentElement.classList.toggle("tactic--used", used);
      const box = one(".tactic__box", button);
      box.textContent = used ? "✓" : "";
    });
  };

  const showNotes = (seen, waiting) => {
    const list = one("[data-notes]");
    every("[data-queued-note]").forEach((item) => item.remove());
    if (seen.anew) { list.textContent = ""; }
    seen.notes.forEach((row) => {
      const item = document.createElement("li");
      item.dataset.queuedNote = "";
      item.textContent = row.text;
      if (waiting.some((other) => other.uuid === row.uuid)) { item.classList.add("visit-note--waiting"); }
      list.append(item);
    });
  };

  const showRows = (seen) => {
    every("[data-row]").forEach((row) => {
      const word = one("[data-row-word]", row);
      if (!("first" in row.dataset)) { row.dataset.first = word.textContent; }
      const isHere = seen.running && seen.running.mission === row.dataset.row;
      word.textContent = isHere ? gettext("You are here") : seen.left[row.dataset.row] ? gettext("Done") : row.dataset.first;
    });
    const line = one("[data-left]");
    if (line && seen.last) {
      line.hidden = false;
      line.textContent = `${interpolate(gettext("Left mission %(number)s after %(minutes)s min."), seen.last, true)} `;
      if (seen.last.mission !== here) {
        const row = every("[data-row]").find((other) => other.dataset.row === seen.last.mission);
        if (row) {
          const link = document.createElement("a");
          link.href = one("a", row).href;
          link.textContent = gettext("Tick what you did");
          line.append(link);
        }
      }
      every(".officer__left").forEach((old) => { old.hidden = true; });
    }
  };

  const showMark = (waiting) => {
    const mark = one("[data-queued]");
    mark.hidden = waiting.length === 0;
    mark.textContent = interpolate(gettext("queued %(n)s"), { n: waiting.length }, true);
    if (state === "signed out") {
      const link = document.createElement("a");
      link.href = told.signIn;
      link.textContent = gettext("Sign in again; nothing is lost");
      mark.append(" · ", link);
    } else if (state === "failed") {
      mark.append(gettext(" · the server cannot take it now; trying again"));
    } else if (state && state !== "offline" && state !== "sent") {
      mark.append(` · ${state}`);
    }
  };

  const showRefused = (rows) => {
    const part = one("[data-refused]");
    part.hidden = rows.length === 0;
    const list = one("ul", part);
    list.textContent = "";
    const words = { arrived: gettext("Arrived"), left: gettext("Left"), tactic: gettext("Tactic"), note: gettext("Note") };
    rows.forEach((row) => {
      const item = document.createElement("li");
      const line = document.createElement("p");
      line.textContent = interpolate(gettext("%(what)s at mission %(number)s, %(at)s: %(message)s"), { what: words[row.kind], number: row.number, at: clock(at(row)), message: row.message }, true);
      const button = document.createElement("button");
      button.type = "button";
      button.className = "button button--plain";
      button.textContent = row.kind === "note" ? gettext("Edit the note") : gettext("OK, read");
      button.addEventListener("click", async () => {
        if (row.kind === "note") { localStorage.setItem(`missions-draft:${owner}:${row.base}${row.mission}`, row.text); }
        await queue.remove(row.seq);
        if (row.kind === "note") { location.assign(row.page); return; }
        draw();
      });
      item.append(line, button);
      list.append(item);
    });
  };

  const showOthers = (rows) => {
    const part = one("[data-others-queue]");
    part.hidden = rows.length === 0;
    one("p", part).textContent = interpolate(ngettext("%(n)s unsent press of somebody else waits on this phone. It is not shown here, is sent when that person signs in, and is deleted after a day.", "%(n)s unsent presses of somebody else wait on this phone. They are not shown here, are sent when that person signs in, and are deleted after a day.", rows.length), { n: rows.length }, true);
  };

  const draw = async () => {
    const rows = await queue.count(owner);
    const waiting = rows.filter((row) => row.state === "waiting");
    const mine = (row) => row.base === told.base;
    const seen = play([...taken, ...waiting.filter(mine)]);
    if (card) { showCard(seen); showTicks(seen); showNotes(seen, waiting); }
    showRows(seen);
    showMark(waiting);
    showRefused(rows.filter((row) => row.state === "refused"));
    tick();
    const others = (await queue.all()).filter((row) => row.owner !== owner);
    for (const row of others.filter((other) => Date.now() - other.device_at > 86400000)) { await queue.remove(row.seq); }
    showOthers(others.filter((row) => Date.now() - row.device_at <= 86400000));
    return waiting;
  };

  const isTyping = () => Boolean(field && document.activeElement === field && field.value.trim());

  const flush = async () => {
    const waiting = await draw();
    if (!waiting.length) { state = ""; return; }
    const answer = await queue.sync(owner, told.person);
    state = answer.state === "somebody else" ? answer.message : answer.state;
    const done = answer.results.filter((result) => result.status !== "refused").map((result) => result.row);
    taken.push(...done.filter((row) => row.base === told.base));
    const messages = answer.results.filter((result) => result.status !== "refused" && result.message).map((result) => result.message);
    if (messages.length) { sessionStorage.setItem("missions-told", messages.join(" ")); }
    await draw();
    if (answer.results.length) { document.dispatchEvent(new CustomEvent("missions:synced")); }
    // The server's page is the better one; but not under somebody's fingers.
    const moved = answer.results.some((result) => result.row.kind === "arrived" || result.row.kind === "left");
    if (moved && state === "sent" && !isTyping()) { keepFocus(); location.replace(told.home); }
  };

  const tick = () => {
    if (timer && timer.dataset.arrived) {
      const seconds = Math.max(0, (now() - Date.parse(timer.dataset.arrived)) / 1000);
      const dose = Number(timer.dataset.doseMinutes) * 60;
      const hours = Math.floor(seconds / 3600);
      const face = [Math.floor((seconds % 3600) / 60), Math.floor(seconds % 60)].map((n) => String(n).padStart(2, "0")).join(":");
      one(".timer__clock", timer).textContent = hours ? `${hours}:${face}` : face;
      const fill = one(".timer__fill", timer);
      fill.setAttribute("stroke-dasharray", `${Math.min(100, (100 * seconds) / dose).toFixed(1)} 100`);
      const isReached = seconds >= dose;
      fill.classList.toggle("timer__fill--full", isReached);
      one("[data-reached]").hidden = !isReached;
      document.title = isReached ? `✓ ${title}` : title;
      // Only when it is reached while the officer looks on, not again at every reload. Never a sound.
      if (isReached && reached === false && navigator.vibrate) { navigator.vibrate(60); }
      reached = isReached;
    }
    if (chip && chip.dataset.from && !(timer && timer.dataset.arrived)) {
      const minutes = Math.round((Date.parse(chip.dataset.from) - now()) / 60000);
      if (now() > Date.parse(chip.dataset.to)) { chip.textContent = gettext("Window passed"); }
      else if (now() >= Date.parse(chip.dataset.from)) { chip.textContent = gettext("Due now"); }
      else if (minutes < 100) { chip.textContent = interpolate(gettext("In %(minutes)s min"), { minutes: Math.max(1, minutes) }, true); }
    }
  };

  /* The button of the next state lies where the last one was: a double tap must not press both. */
  const sincePressed = () => Date.now() - Number(sessionStorage.getItem("missions-pressed") || 0);
  const isSecondTap = () => {
    const since = sincePressed();
    if (since >= 0 && since < 1000) { return true; }
    sessionStorage.setItem("missions-pressed", String(Date.now()));
    return false;
  };
  // Nor may it lead away from what there is to tick off.
  one("[data-next]")?.addEventListener("click", (event) => {
    const since = sincePressed();
    if (since >= 0 && since < 500) { event.preventDefault(); }
  });

  document.addEventListener("submit", async (event) => {
    const form = event.target;
    const kind = form.dataset.press;
    if (!kind || form.dataset.plain) { return; }
    event.preventDefault();
    if ((kind === "arrived" || kind === "left") && isSecondTap()) { return; }
    const row = { owner, kind, mission: form.dataset.mission, number: card.dataset.number, sync: told.sync, base: told.base, unit: told.unit, page: location.href };
    if (kind === "tactic") { Object.assign(row, { tactic: form.dataset.tactic, used: one("button", form).value === "1" }); }
    if (kind === "note") {
      row.text = field.value.replace(/\s+/g, " ").trim();
      if (!row.text || !window.MissionsScreen.passes(form)) { return; }
    }
    try {
      await queue.add(row);
    } catch {
      // No store on this phone, as in some private windows: the plain form still works.
      form.dataset.plain = "1";
      form.submit();
      return;
    }
    if (kind === "note") { field.value = ""; localStorage.removeItem(draftKey); }
    flush();
  }, true);

  if (field) {
    field.value = localStorage.getItem(draftKey) || "";
    field.addEventListener("input", () => localStorage.setItem(draftKey, field.value));
  }
  const drop = one("[data-drop-others]");
  drop.addEventListener("click", async () => {
    for (const row of (await queue.all()).filter((other) => other.owner !== owner)) { await queue.remove(row.seq); }
    draw();
  });
  giveFocus();
  const kept = sessionStorage.getItem("missions-told");
  if (kept && one("[data-left]")) {
    sessionStorage.removeItem("missions-told");
    one("[data-left]").hidden = false;
    one("[data-left]").textContent = kept;
  }

  tick();
  setInterval(tick, 1000);
  flush();
  setInterval(flush, 30000);
  window.addEventListener("online", flush);

  // Coming back to the page: a plan may have been published, a colleague may have pressed Left.
  window.addEventListener("pageshow", (event) => { if (event.persisted) { location.reload(); } });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { return; }
    if (Date.now() - loadedAt > 60000 && navigator.onLine && !isTyping()) { location.reload(); } else { flush(); }
  });
})();
