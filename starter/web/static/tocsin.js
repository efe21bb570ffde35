// What scripts add to pages that work without them: clocks that count, forms answered in place, kept drafts, keys.
// The server decides everything; nothing here knows a rule of the process. Types stand in comments (JSDoc).
"use strict";

/** @type {<T extends HTMLElement>(selector: string, from?: ParentNode) => T[]} */
const all = (selector, from = document) => /** @type {any} */ ([...from.querySelectorAll(selector)]);
/** @type {(selector: string, from?: ParentNode) => any} */
const one = (selector, from = document) => from.querySelector(selector);
const body = document.body;
const room = body.dataset.room;

// ---- Time: the server's, whatever this machine believes -------------------------------------------------------
const arrived = /** @type {any} */ (performance.getEntriesByType("navigation")[0])?.responseStart ?? performance.now();
let skew = Date.parse(body.dataset.now ?? "") - (Date.now() - (performance.now() - arrived));
const serverNow = () => Date.now() + skew;
const two = (/** @type {number} */ n) => String(n).padStart(2, "0");
const clockTime = () => new Date(serverNow()).toISOString().slice(11, 19);

/** How long, as the server writes it: `5:00`, `1 h 12`, `2 d 4 h`. @param {number} seconds */
function span(seconds) {
  const s = Math.abs(Math.round(seconds));
  if (s < 3600) return `${Math.floor(s / 60)}:${two(s % 60)}`;
  const h = Math.floor(s / 3600);
  return h < 24 ? `${h} h ${two(Math.floor(s / 60) % 60)}` : `${Math.floor(h / 24)} d ${h % 24} h`;
}

/** Write only what differs: readers of the page hear nothing, and nothing is drawn anew. @param {Element} element @param {string} text */
const write = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };

/** @type {Map<string, number>} what was left of each clock when it was last looked at */
const lastLeft = new Map();
const MARKS = [300, 60, 0];
const title = document.title;

/** What to say of a clock: something at five minutes, at one minute and when it is overdue, else nothing. @param {string} name @param {string} due @param {number} left */
function spoken(name, due, left) {
  const before = lastLeft.get(name + due);
  lastLeft.set(name + due, left);
  const mark = before === undefined ? undefined : MARKS.find((each) => before > each && left <= each);
  if (mark === undefined) return [];
  return [mark === 0 ? `${name} is overdue` : `${name} is due in ${mark / 60} minute${mark > 60 ? "s" : ""}`];
}

function tick() {
  let urgent = Infinity;
  /** @type {string[]} */
  const sentences = [];
  for (const clock of all("[data-due]")) {
    const left = (Date.parse(clock.dataset.due ?? "") - serverNow()) / 1000;
    const face = one("[data-countdown]", clock);
    write(face, (left <= 0 ? "+" : "") + span(left));
    write(one("[data-state-word]", clock), left <= 0 ? "overdue" : "left");
    clock.classList.toggle("overdue", left <= 0);
    clock.classList.toggle("due-soon", left > 0 && left < 300);
    sentences.push(...spoken(face.getAttribute("aria-label") ?? "", clock.dataset.due ?? "", left));
    urgent = Math.min(urgent, left);
  }
  if (sentences.length) write(one("#announce"), sentences.join(". "));
  for (const age of all("[data-age]")) write(age, span((serverNow() - Date.parse(age.dataset.age ?? "")) / 1000));
  document.title = urgent === Infinity ? title : `${urgent <= 0 ? "+" : ""}${span(urgent)}${urgent <= 0 ? " overdue" : ""} · ${title}`;
}

function localTimes() {
  for (const time of all("time[data-local]:not([title])")) time.title = new Date(/** @type {any} */ (time).dateTime).toLocaleString() + " your time";
}

// ---- Connection, in words ---------------------------------------------------------------------------------------
let newsAt = clockTime();
const words = one("#live-state");
/** @param {boolean} on */
function connected(on) {
  if (!words) return;
  if (on) newsAt = clockTime();
  words.className = `live ${on ? "on" : "off"}`;
  write(words, on ? (room ? "Live" : `as of ${newsAt} UTC`) : `Reconnecting, data from ${newsAt}`);
}

const stream = one("#live");
if (stream) {
  let stopped = false;
  const signedOut = (/** @type {number | undefined} */ status) => {
    if (status !== 401) return false;
    stopped = true;
    write(words, `Signed out, data from ${newsAt}. Reload to sign in`);
    words.className = "live off";
    return true;
  };
  stream.addEventListener("htmx:sse:error", (/** @type {any} */ event) => { if (signedOut(event.detail.status)) stream.remove(); });
  let heardAt = Date.now();
  stream.addEventListener("htmx:sse:after:connection", () => { heardAt = Date.now(); connected(true); });
  stream.addEventListener("htmx:sse:before:connection", (/** @type {any} */ event) => { if (event.detail.connection.attempt > 0 && !document.hidden) connected(false); });
  stream.addEventListener("htmx:sse:after:message", () => { heardAt = Date.now(); connected(true); changed(); });
  stream.addEventListener("servertime", (/** @type {any} */ event) => { skew = Date.parse(event.detail.data) - Date.now(); heardAt = Date.now(); });
  // htmx begins by itself as soon as it is loaded, which may be before its extension is: so the address is given to it here, after both.
  setTimeout(() => { stream.setAttribute("hx-sse:connect", stream.dataset.connect); /** @type {any} */ (window).htmx.process(stream); });
  // htmx does not retry a first connection that was refused or failed; later ones it does.
  const again = (/** @type {any} */ event) => { if (signedOut(event.detail.ctx?.response?.raw?.status)) return; if (!stopped && !stream._htmx?.sse) { connected(false); setTimeout(() => stream.dispatchEvent(new Event("retry")), 1000); } };
  for (const name of ["htmx:response:error", "htmx:error"]) stream.addEventListener(name, again);
  stream.addEventListener("over", () => { stopped = true; stream._htmx?.sse?.abortController.abort(); stream.remove(); write(words, `Closed, as of ${clockTime()} UTC`); words.className = "live"; });
  // A line that is cut without a word: the server says the time every 15 seconds.
  setInterval(() => { if (!stopped && !document.hidden && Date.now() - heardAt > 40_000) { connected(false); stream._htmx?.sse?.reader?.cancel(); } }, 5000);
  // Nobody looks: the stream is released, and the title is kept right by a question every half minute.
  setInterval(async () => {
    if (!document.hidden) return;
    const badge = await fetch(`/incidents/${room}/badge`).then((answer) => answer.json()).catch(() => null);
    if (badge?.due) document.title = `${span((Date.parse(badge.due) - Date.parse(badge.now)) / 1000)} · ${title}`;
  }, 30_000);
}

// The list asks anew every few seconds, but not under the reader's hand.
const list = one("[data-poll]");
if (list) {
  let touched = 0;
  list.addEventListener("pointermove", () => { touched = Date.now(); });
  setInterval(() => {
    const current = one("[data-poll]");
    if (!document.hidden && Date.now() - touched > 3000 && !current.contains(document.activeElement)) current.dispatchEvent(new Event("refresh"));
  }, 4000);
  document.addEventListener("htmx:after:swap", () => { connected(true); changed(); });
  document.addEventListener("htmx:error", () => connected(false));
  document.addEventListener("htmx:response:error", () => connected(false));
}

// ---- The timeline: new rows wait while somebody reads further down ---------------------------------------------
const timeline = one("#timeline");
const news = one("#news");
if (timeline) {
  const reading = () => timeline.getBoundingClientRect().top < 0 || timeline.contains(document.activeElement);
  const waiting = () => all(".entry.queued", timeline).filter((row) => timeline.dataset.shows !== "key" || row.classList.contains("key"));
  const tell = () => {
    const count = waiting().length;
    news.classList.toggle("floating", timeline.getBoundingClientRect().top < 0);
    news.hidden = count === 0;
    write(news, `${count} new ↑`);
  };
  new MutationObserver((changes) => {
    for (const row of /** @type {any[]} */ (changes.flatMap((change) => [...change.addedNodes]))) {
      if (row.nodeType !== 1 || !row.id) continue;
      if (all(`[id="${row.id}"]`, timeline).length > 1) row.remove();
      else if (!reading()) row.classList.remove("queued");
    }
    tell();
  }).observe(timeline, { childList: true });
  news.addEventListener("click", () => {
    for (const row of all(".queued", timeline)) row.classList.remove("queued");
    tell();
    one("#timeline-title").scrollIntoView({ block: "start" });
  });
}

// ---- Drafts: nothing typed is lost -----------------------------------------------------------------------------
const draftName = (/** @type {HTMLFormElement} */ form) => `tocsin draft ${location.pathname} ${form.dataset.draft}`;
/** @param {any} form */
function keep(form) {
  const kept = Object.fromEntries([...form.elements].filter((e) => e.name && e.type !== "hidden" && e.type !== "submit").filter((e) => e.type !== "radio" || e.checked)
    .map((e) => [e.name, e.type === "checkbox" ? e.checked : e.value]));
  try { sessionStorage.setItem(draftName(form), JSON.stringify(kept)); } catch { /* A full or forbidden store costs the draft's safety, never the page. */ }
}
/** @param {any} form */
function restore(form) {
  const kept = JSON.parse(sessionStorage.getItem(draftName(form)) ?? "null");
  if (!kept) return;
  for (const field of form.elements) {
    if (!(field.name in kept) || field.type === "hidden") continue;
    if (field.type === "checkbox") field.checked = kept[field.name];
    else if (field.type === "radio") field.checked = field.value === kept[field.name];
    else if (!field.value) field.value = kept[field.name];
  }
}
const forget = (/** @type {any} */ form) => sessionStorage.removeItem(draftName(form));
const drafts = /** @type {any[]} */ (all("form[data-draft]"));
for (const form of drafts) {
  if (new URLSearchParams(location.search).has("done") && location.hash === "#answer" && form.dataset.draft === "composer") forget(form);
  restore(form);
  form.addEventListener("input", () => keep(form));
  if (!form.dataset.command) form.addEventListener("submit", () => sessionStorage.setItem("tocsin sent", JSON.stringify([draftName(form), location.pathname])));
}
// A form that led to another page was accepted; one that failed on the way, or came back with its mistakes, keeps its draft.
const [sentDraft, sentFrom] = JSON.parse(sessionStorage.getItem("tocsin sent") ?? "[]");
if (sentDraft && sentFrom !== location.pathname) for (const name of [sentDraft, "tocsin sent"]) sessionStorage.removeItem(name);

// ---- Forms answered in place ------------------------------------------------------------------------------------
const freshKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const answerPlace = one("#answer");

/** Say something where the person looks, and lead keyboard and screen reader there. @param {any} form @param {string | Node} said */
function answer(form, said) {
  const inPlace = form.closest("[data-live], #answer") ? one("#r-next") : form;
  inPlace.after(answerPlace);
  if (typeof said === "string") answerPlace.innerHTML = said;
  else answerPlace.replaceChildren(said);
  answerPlace.focus();
  localTimes();
}

/** @param {string} tone @param {string} strong @param {string} rest @param {Node[]} more */
function notice(tone, strong, rest, ...more) {
  const section = document.createElement("section");
  section.className = `notice ${tone}`;
  const text = document.createElement("p");
  text.append(Object.assign(document.createElement("strong"), { textContent: strong }), ` ${rest} `, ...more);
  section.append(text);
  return section;
}

/** @param {any} form */
async function send(form) {
  if (form.dataset.busy) return;
  form.dataset.busy = "yes";
  const key = form.elements.key ?? form.appendChild(Object.assign(document.createElement("input"), { type: "hidden", name: "key" }));
  // One key a question: pressed again after a lost line it is the same question; after an answer it is a new one.
  key.value ||= freshKey();
  try {
    const sent = await fetch(form.getAttribute("action") ?? "", { method: "POST", body: new URLSearchParams(/** @type {any} */ (new FormData(form))), headers: { "HX-Request": "true", Accept: "text/html" }, redirect: "manual" });
    if (sent.status === 401 || sent.type === "opaqueredirect") {
      const link = Object.assign(document.createElement("a"), { href: "/login", target: "_blank", textContent: "Sign in in a new tab" });
      answer(form, notice("warn", "You are signed out.", "What you typed is kept here. Then press again:", link));
      return;
    }
    if (sent.status >= 500 && !sent.headers.get("content-type")?.startsWith("text/html")) throw new TypeError(`status ${sent.status}`);
    const said = await sent.text();
    if (sent.status !== 503) key.value = freshKey();
    for (const field of all("[aria-invalid]", form)) field.removeAttribute("aria-invalid");
    answer(form, said.includes("data-answer") ? said : notice("bad", `Not done (${sent.status}).`, "The server says why on a page of its own; what you typed is kept."));
    for (const link of all("[data-error-for]", answerPlace)) for (const field of [form.elements.namedItem(link.dataset.errorFor ?? "")].flat()) if (field instanceof Element) field.setAttribute("aria-invalid", "true");
    if (sent.ok && !said.includes("data-of-composer")) {
      const done = form.hasAttribute("data-of-composer") ? one("#composer") : form;
      done.reset();
      if (done.dataset.draft) forget(done);
      preview();
    }
  } catch {
    answer(form, notice("warn", "Not sent: the server can't be reached.", "What you typed is kept. Press again; it will be carried out once."));
  } finally {
    delete form.dataset.busy;
  }
}
document.addEventListener("submit", (event) => {
  const form = /** @type {any} */ (event.target);
  if (!form.dataset.command || !answerPlace || !room) return;
  event.preventDefault();
  send(form);
});

// ---- The composer's preview: what the public will read ----------------------------------------------------------
const composer = one("#composer");
let previewed = 0;
let drawn = "";
function preview() {
  if (!composer) return;
  const outside = composer.elements.audience.value === "external";
  one("#preview").hidden = !outside;
  composer.elements.seen.value = outside ? "yes" : "";
  one('[data-for="internal"]').hidden = outside;
  one('[data-for="external"]').hidden = !outside;
  const now = `${composer.elements.status.value} ${composer.elements.text.value}`;
  if (!outside || now === drawn) return;
  clearTimeout(previewed);
  previewed = setTimeout(() => draw(now), 250);
}
/** The server draws it, with the templates of the public page itself. @param {string} now */
async function draw(now) {
  const place = one("#preview");
  const said = new URLSearchParams({ text: composer.elements.text.value, status: composer.elements.status.value });
  try {
    const sent = await fetch(`/incidents/${room}/preview`, { method: "POST", body: said, headers: { "HX-Request": "true", Accept: "text/html" }, redirect: "manual" });
    if (!sent.ok) throw new TypeError(`status ${sent.status}`);
    place.innerHTML = await sent.text();
    drawn = now;
  } catch {
    place.textContent = "The preview can't be made now. What you typed is kept.";
  }
}
composer?.addEventListener("input", preview);

// ---- Links that lead to a form of this page, filled in ----------------------------------------------------------
/** Put a form beside what led to it, and the one that stood there back to its slot. What is typed goes with it. @param {any} place */
function bring(place) {
  const bench = one("#bench");
  for (const there of /** @type {any[]} */ (all("details.verb", bench))) {
    if (there === place) return;
    there.open = false;
    one(`[data-slot="${there.id.slice(3)}"]`).append(there);
  }
  bench.append(place);
}
/** @param {string} verb @param {URLSearchParams} [values] */
function lead(verb, values) {
  const place = one(`#do-${verb}`);
  if (!place) return false;
  if (place.tagName === "DETAILS") { bring(place); place.open = true; }
  const form = one("form", place);
  for (const [name, value] of values ?? []) { const field = /** @type {any} */ (form.elements.namedItem(name)); if (field && name !== "do") field.value = value; }
  if (form === composer) preview();
  const fields = /** @type {any[]} */ ([...form.elements]).filter((each) => each.matches("input, select, textarea, button") && each.type !== "hidden" && each.type !== "radio");
  const first = fields.find((each) => each.tagName !== "BUTTON" && !each.value) ?? fields.at(-1);
  place.scrollIntoView({ block: "nearest" });
  first.focus();
  return true;
}
/** @type {HTMLElement | null} where the person came from, for Esc */
let opener = null;
document.addEventListener("click", (event) => {
  const link = /** @type {any} */ (event.target).closest?.("a[data-do], a[data-show]");
  if (!link || event.ctrlKey || event.metaKey) return;
  if (link.dataset.show) {
    timeline.dataset.shows = link.dataset.show;
    for (const each of all("[data-show]")) each === link ? each.setAttribute("aria-current", "true") : each.removeAttribute("aria-current");
    event.preventDefault();
  } else if (lead(link.dataset.do, new URL(link.href).searchParams)) {
    opener = link;
    event.preventDefault();
  }
});

// ---- Keys: they lead to a thing, they never do it ---------------------------------------------------------------
const KEYS_HELP = [["c", "Declare an incident"], ["g h", "Go to the open incidents"], ["j k", "Down and up in a list, Enter opens"], ["a u m r n", "In a room: acknowledge, update, mitigate, resolve, note"], [".", "Everything that can be done"], ["Ctrl K", "Jump to an incident or action"], ["Esc", "Back to where you were"], ["?", "This help"]];
const keysOn = () => body.dataset.keys !== "off";

/** @param {string} heading @param {Node[]} content */
function dialog(heading, ...content) {
  const made = document.createElement("dialog");
  made.setAttribute("aria-label", heading);
  made.append(...content);
  made.addEventListener("close", () => made.remove());
  body.append(made);
  made.showModal();
  return made;
}
function help() {
  const rows = KEYS_HELP.map(([key, what]) => { const item = document.createElement("li"); item.append(Object.assign(document.createElement("kbd"), { textContent: key }), ` ${what}`); return item; });
  const keys = document.createElement("ul");
  keys.append(...rows);
  const off = Object.assign(document.createElement("button"), { textContent: keysOn() ? "Turn single keys off" : "Turn single keys on" });
  const box = dialog("Keys", Object.assign(document.createElement("h2"), { textContent: "Keys" }), keys, off);
  off.addEventListener("click", () => { prefer("keys", keysOn() ? "off" : "on"); body.dataset.keys = keysOn() ? "off" : "on"; box.close(); });
}
async function jump() {
  const field = Object.assign(document.createElement("input"), { type: "search", placeholder: "Incident or action", autocomplete: "off" });
  field.setAttribute("aria-label", "Jump to an incident or action");
  const found = document.createElement("ul");
  found.className = "jump-list";
  const box = dialog("Jump", field, found);
  const here = all("details.verb > summary, #do-post_update h2").map((each) => ({ label: each.firstChild?.textContent?.trim() ?? "", href: `#${each.parentElement?.id}` }));
  const there = await fetch("/jump").then((answer) => answer.json()).then((answer) => answer.jump).catch(() => []);
  const show = () => {
    const wanted = field.value.toLowerCase().split(/\s+/);
    const fits = [...here, ...there].filter((each) => wanted.every((word) => each.label.toLowerCase().includes(word))).slice(0, 8);
    found.replaceChildren(...fits.map((each) => { const item = document.createElement("li"); item.append(Object.assign(document.createElement("a"), { href: each.href, textContent: each.label })); return item; }));
  };
  const go = (/** @type {any} */ link, /** @type {Event} */ event) => {
    const verb = link?.getAttribute("href").match(/^#do-(\w+)$/)?.[1];
    if (verb) { event.preventDefault(); box.close(); lead(verb); } else if (link && event.type !== "click") link.click();
  };
  field.addEventListener("input", show);
  box.addEventListener("click", (event) => go(/** @type {any} */ (event.target).closest("a"), event));
  box.addEventListener("keydown", (event) => {
    const links = all("a", found);
    const at = links.indexOf(/** @type {any} */ (document.activeElement));
    if (event.key === "ArrowDown" || event.key === "ArrowUp") { event.preventDefault(); (links[at + (event.key === "ArrowDown" ? 1 : -1)] ?? field).focus(); }
    if (event.key === "Enter" && at < 0) { event.preventDefault(); go(links[0], event); }
  });
  show();
}
let before = "";
document.addEventListener("keydown", (event) => {
  const typing = /** @type {any} */ (event.target).closest?.("input, textarea, select, [contenteditable], dialog");
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") { event.preventDefault(); if (!one("dialog[open]")) jump(); return; }
  if (event.key === "Escape" && opener?.isConnected && !one("dialog[open]")) { opener.focus(); opener = null; return; }
  if (typing || event.ctrlKey || event.metaKey || event.altKey || !keysOn()) return;
  const typed = before === "g" ? `g ${event.key}` : event.key;
  before = event.key;
  const target = one(`[data-key="${CSS.escape(typed)}"]`);
  if (typed === "?") help();
  else if (typed === "g h") location.href = "/";
  else if (typed === "." && room) one("#more summary").focus();
  else if (typed === "j" || typed === "k") {
    const rows = all("[data-row]");
    rows[Math.max(0, rows.indexOf(/** @type {any} */ (document.activeElement)) + (typed === "j" ? 1 : -1))]?.focus();
  } else if (target?.tagName === "DETAILS") { opener = /** @type {any} */ (document.activeElement); lead(target.id.slice(3)); }
  else if (typed === "u" && composer) lead("post_update");
  else if (target) target.click();
  else return;
  event.preventDefault();
});

// ---- Preferences ------------------------------------------------------------------------------------------------
const prefer = (/** @type {string} */ name, /** @type {string} */ value) => fetch("/preferences", { method: "POST", body: new URLSearchParams({ [name]: value }), redirect: "manual" });
one("[data-theme-toggle]")?.addEventListener("click", (/** @type {Event} */ event) => {
  event.preventDefault();
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
  prefer("theme", root.dataset.theme);
});

/** After the page has changed. */
function changed() { tick(); localTimes(); }
changed();
preview();
setInterval(tick, 500);
if (one("#answer:not(:empty)")) one("#answer").focus();
