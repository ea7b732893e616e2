/* The scripts' words as they stand in the code, for pages in English: others load theirs before this. */
"use strict";
window.gettext = window.gettext || ((text) => text);
window.ngettext = window.ngettext || ((one, many, n) => (n === 1 ? one : many));
window.interpolate = window.interpolate || ((text, values) => text.replace(/%\((\w+)\)s/g, (_, name) => String(values[name])));
