/* The shift board: map and list choose the same mission; what changed elsewhere appears by itself.
   window.MissionsBoard is what the board's other scripts share: map, holder, choose, say, drawing. */
"use strict";
window.MissionsBoard = (() => {
  const holder = document.querySelector(".board__map");
  const drawer = document.getElementById("drawer");
  const news = document.getElementById("board-news");
  const board = { map: null, holder, drawer, drawing: false, armed: null };
  const narrow = matchMedia("(max-width: 900px)");
  let boxes = null;
  let chosen = null;
  let plan = "";
  let notes = null;

  /* Phones ask less often: their batteries last the shift. */
  const setPace = () => { holder.dataset.liveSeconds = narrow.matches ? "15" : "2"; };
  setPace();
  narrow.addEventListener("change", setPace);

  board.say = (text, bad) => {
    news.textContent = text;
    news.hidden = !text;
    news.classList.toggle("board__news--bad", Boolean(bad));
  };

  const mark = () => {
    document.querySelectorAll("[data-mission]").forEach((row) => {
      row.setAttribute("aria-current", String(row.dataset.mission === chosen));
    });
    document.querySelectorAll("[data-choose]").forEach((bar) => {
      bar.classList.toggle("bar--chosen", bar.dataset.choose === chosen);
    });
    if (!boxes) { return; }
    boxes.eachLayer((box) => {
      box.setStyle(MissionsBoxes.style(box.feature));
      if (String(box.feature.id) === chosen) {
        box.setStyle({ weight: 6, dashArray: null, color: MissionsMap.token("--ink") });
        box.bringToFront();
      }
    });
  };

  board.choose = (id, moveMap) => {
    chosen = id === null ? null : String(id);
    mark();
    if (moveMap && boxes) {
      // Out from under the drawer, which lies over the map's left.
      const left = narrow.matches ? 40 : 460;
      const inside = { paddingTopLeft: [left, 40], paddingBottomRight: [70, 50] };
      boxes.eachLayer((box) => { if (String(box.feature.id) === chosen) board.map.panInside(box.getBounds().getCenter(), inside); });
    }
  };

  const open = (id) => {
    const row = document.querySelector(`[data-mission="${id}"]`);
    if (row) { row.scrollIntoView({ block: "nearest" }); row.click(); }
  };

  /* While somebody points at a place, a box is a place like any other. */
  const chooseBox = (id) => {
    if (board.drawing) { return false; }
    if (board.armed) { board.give(id); return true; }
    board.choose(id, false);
    open(id);
    return true;
  };

  const loadBoxes = async () => {
    const response = await fetch(holder.dataset.missions, { headers: { Accept: "application/geo+json" } }).catch(() => null);
    // Another board's are being worked out: they are there in a moment. A list that gets none is asked for at the next turn.
    if (response && response.status === 204) { setTimeout(loadBoxes, 400 + Math.random() * 600); return; }
    const data = response && response.ok ? await response.json() : null;
    // A list that came meanwhile has brought newer ones.
    if (data && boxes === null) { showBoxes(data); }
  };

  const showBoxes = (data) => {
    const first = boxes === null;
    if (boxes) { boxes.remove(); }
    boxes = MissionsBoxes.draw(board.map, data, { pane: "missions", choose: chooseBox, grips: Boolean(holder.dataset.assign) });
    MissionsBoxes.fitLabels(board.map, boxes, holder);
    if (first && data.features.length) { board.map.fitBounds(boxes.getBounds(), { paddingTopLeft: [30, 30], paddingBottomRight: [MissionsMap.beside(board.map, 30), 30], maxZoom: 15 }); }
    mark();
  };

  /* The mission whose box lies at this point of the screen, or null. Small boxes are met from a few pixels beside them. */
  board.boxAt = (x, y) => {
    const top = document.elementFromPoint(x, y);
    if (!board.map || !boxes || !top || !board.map.getContainer().contains(top) || top.closest(".leaflet-control")) { return null; }
    const frame = board.map.getContainer().getBoundingClientRect();
    const at = L.point(x - frame.left, y - frame.top);
    let found = null;
    let nearest = Infinity;
    boxes.eachLayer((box) => {
      const bounds = box.getBounds();
      const sides = L.bounds(board.map.latLngToContainerPoint(bounds.getNorthWest()), board.map.latLngToContainerPoint(bounds.getSouthEast()));
      const far = sides.getCenter().distanceTo(at);
      if (far < nearest && L.bounds(sides.min.subtract([6, 6]), sides.max.add([6, 6])).contains(at)) { nearest = far; found = String(box.feature.id); }
    });
    return found;
  };

  /* Show on the map which box would take what is dragged over it; null for none. */
  board.showTarget = (id) => {
    if (boxes) { boxes.eachLayer((box) => { if (box.getElement()) { box.getElement().classList.toggle("box--over", String(box.feature.id) === id); } }); }
  };

  /* What opened the drawer gets the focus back: a person without a mouse goes on from there, not from the page's start. */
  let opener = null;
  document.body.addEventListener("htmx:beforeRequest", (event) => {
    const by = event.detail.elt;
    if (event.detail.target === drawer && !drawer.contains(by)) { opener = by.matches("[data-mission], button, a[href]") ? by : null; }
  });
  board.closeDrawer = () => {
    const inside = drawer.contains(document.activeElement);
    const row = document.querySelector("[data-mission][aria-current='true']");
    drawer.hidden = true;
    drawer.replaceChildren();
    board.choose(null, false);
    // The list may have been loaded anew since: its rows keep their names.
    const back = opener && !opener.isConnected ? document.getElementById(opener.id) : opener;
    opener = null;
    if (inside && (back || row)) { (back || row).focus(); }
    drawer.dispatchEvent(new CustomEvent("drawer-closed", { bubbles: true }));
  };

  /* The now-line moves between refreshes too; the timeline opens at now where it is wider than the screen. */
  const showNow = () => {
    const scroll = document.getElementById("timeline-scroll");
    const now = scroll && scroll.querySelector(".timeline__now");
    if (now && scroll.scrollWidth > scroll.clientWidth) {
      scroll.scrollLeft = (parseFloat(now.getAttribute("x1")) / 100) * scroll.scrollWidth - scroll.clientWidth / 2;
    }
  };

  window.addEventListener("map:init", (event) => {
    const map = event.detail.map;
    board.map = map;
    map.createPane("missions").style.zIndex = 450;
    MissionsAlerts.follow(map, holder.dataset, MissionsMap.base(map, holder.dataset));
    map.on("zoomend", () => MissionsBoxes.fitLabels(map, boxes, holder));
    loadBoxes();
    document.dispatchEvent(new CustomEvent("board:map"));
  });

  const shown = () => document.querySelector("#list [data-mark]").dataset.mark || plan;
  const isBehind = () => Boolean(shown()) && heard !== shown();
  let heard = "";
  let asking = null;

  /* The version address told something: ask for the list if the one shown is of another mark, for the notes likewise.
     The first mark told is the page's own; a list says itself which it is of, so that one that was late is asked for again. */
  document.addEventListener("missions:told", (event) => {
    const told = event.detail;
    heard = told.plan;
    if (isBehind() && asking === null) {
      // Not all boards in the same moment: as far apart as two questions are.
      asking = setTimeout(() => {
        asking = null;
        // What somebody did on this very page has it loaded anew at once.
        if (isBehind()) { htmx.trigger(document.body, "missions-changed"); }
      }, Math.random() * 2000);
    }
    plan = shown() || told.plan;
    if (notes !== null && told.notes !== notes) { refreshNotes(); }
    notes = told.notes;
  });

  /* A note half written must not be lost to somebody else's change. */
  const refreshNotes = () => {
    const note = document.querySelector("#notes textarea");
    if (!note || (!note.value && note !== document.activeElement)) { htmx.trigger("#notes", "notes-changed"); }
  };

  let kept = null;
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.target.id !== "list") { return; }
    const scroll = document.getElementById("timeline-scroll");
    kept = { list: document.getElementById("board-list").scrollTop, timeline: scroll ? [scroll.scrollLeft, scroll.scrollTop] : null };
  });
  document.body.addEventListener("htmx:afterSettle", (event) => {
    const id = event.detail.target.id;
    if (id === "drawer" && drawer.childElementCount) { drawer.hidden = false; drawer.scrollTop = 0; drawer.focus({ preventScroll: true }); }
    if (id !== "list") { return; }
    const version = document.querySelector("#list [data-plan]").dataset.plan;
    // Another plan means other buttons, filters and forms: the page itself is out of date.
    if (version !== pageVersion) { location.reload(); return; }
    if (kept) {
      document.getElementById("board-list").scrollTop = kept.list;
      const scroll = document.getElementById("timeline-scroll");
      if (scroll && kept.timeline) { [scroll.scrollLeft, scroll.scrollTop] = kept.timeline; }
      kept = null;
    }
    // A list that is loaded anew brings its boxes: both are of one moment, and it is one question instead of two.
    const own = document.getElementById("board-features");
    if (own && board.map) { showBoxes(JSON.parse(own.textContent)); }
  });
  const pageVersion = document.querySelector("#list [data-plan]").dataset.plan;

  document.body.addEventListener("click", (event) => {
    const row = event.target.closest("[data-mission]");
    if (row) { board.choose(row.dataset.mission, true); }
    const bar = event.target.closest("[data-choose]");
    if (bar) { board.choose(bar.dataset.choose, true); open(bar.dataset.choose); }
    if (event.target.closest("[data-close-drawer]")) { board.closeDrawer(); }
  });

  const legend = document.getElementById("legend");
  if (legend && narrow.matches) { legend.open = false; }
  showNow();
  return board;
})();
