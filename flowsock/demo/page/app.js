"use strict";
/* The flowsock demo page: three cards, each with a WebSocket session behind it. */

/** @typedef {"connecting"|"open"|"closed"|"reconnecting"} State */
/** @typedef {{code: number, reason: string}} Close */

const LOG_LINES = 200;
const REFUSED = 4000; // the close code of a chat room that turns a newcomer down
const RETRY_FIRST = 250, RETRY_MAX = 5000; // limits of the backoff, in ms
const STEADY = 1000; // a connection that lived this long (ms) starts the backoff afresh
const CHART_SECONDS = 60;
const CHART_GAP = 2; // this many seconds without data break the line

// ---- small tools ----------------------------------------------------------
const byId = (id) => document.getElementById(id);
const pick = (items) => items[Math.floor(Math.random() * items.length)];

/** Makes an element; its text is only ever text, never markup. */
function make(tag, className = "", text = "") {
  return Object.assign(document.createElement(tag), { className, textContent: text });
}

/** Web storage, silent where the browser forbids it. */
function recall(storage, key) {
  try { return window[storage].getItem(key); } catch { return null; }
}
function remember(storage, key, value) {
  try { window[storage].setItem(key, value); } catch { /* forbidden: forget it */ }
}

/** The object in a JSON text; an empty one when there is none. */
function parse(text) {
  try { return Object(JSON.parse(text)); } catch { return {}; }
}

/** @param {Close} close @returns {string} such as "1000 Bye" */
function describeClose({ code, reason }) {
  const usual = { 1001: "going away", 1006: "connection lost", 1009: "message too big", 1011: "server error" };
  return `${code} ${reason || usual[code] || ""}`.trim();
}

// ---- what the cards share -------------------------------------------------
/** A WebSocket that tells its state and, where asked to, comes back after a loss. */
class Socket {
  /** @type {State} */
  state = "closed";
  #options; #ws = null; #timer = 0; #attempt = 0; #wanted = false;

  /**
   * @param {object} options
   * @param {() => string} options.path the path and query, asked before every attempt
   * @param {(close: Close) => boolean} [options.retry] whether to reconnect after this close
   * @param {(state: State, close: Close?, delay: number) => void} options.onState told every
   *   change; `delay` is the wait (ms) before the next attempt
   * @param {(text: string) => void} options.onText
   */
  constructor(options) {
    this.#options = { retry: () => false, ...options };
  }

  /** Connects, unless that is done or under way already. */
  connect() {
    if (this.state !== "closed") return;
    this.#wanted = true;
    this.#attempt = 0;
    this.#become("connecting");
    this.#dial();
  }

  /** Closes for good; the state is "closed" once the server has answered. */
  close() {
    this.#wanted = false;
    clearTimeout(this.#timer);
    if (this.#ws) this.#ws.close(1000);
    else this.#lost({ code: 1000, reason: "" });
  }

  /** Sends a text; false when there is no open connection. */
  send(text) {
    if (this.#ws?.readyState !== WebSocket.OPEN) return false;
    this.#ws.send(text);
    return true;
  }

  #dial() {
    const scheme = location.protocol === "https:" ? "wss:" : "ws:";
    const ws = this.#ws = new WebSocket(`${scheme}//${location.host}${this.#options.path()}`);
    let opened = Infinity;
    ws.onopen = () => {
      opened = performance.now();
      this.#become("open");
    };
    ws.onmessage = ({ data }) => this.#options.onText(String(data));
    ws.onclose = ({ code, reason }) => {
      this.#ws = null;
      if (performance.now() - opened > STEADY) this.#attempt = 0;
      this.#lost({ code, reason });
    };
  }

  #lost(close) {
    if (!this.#wanted || !this.#options.retry(close)) return this.#become("closed", close);
    // exponential backoff with full jitter: anything up to a limit that doubles
    const delay = Math.random() * Math.min(RETRY_MAX, RETRY_FIRST * 2 ** this.#attempt++);
    this.#timer = setTimeout(() => this.#dial(), delay);
    this.#become("reconnecting", close, delay);
  }

  #become(state, close = null, delay = 0) {
    this.state = state;
    this.#options.onState(state, close, delay);
  }
}

/** @param {HTMLElement} pill @param {State} state */
function showState(pill, state) {
  if (pill.dataset.state === state) return; // every attempt tells "reconnecting": announce it once
  pill.dataset.state = state;
  pill.textContent = { open: "connected", closed: "closed" }[state] ?? `${state}…`;
}

/** A list of limited length that follows its end unless the reader scrolled up. */
class Log {
  #follow = true;

  constructor(list) {
    this.list = list;
    list.addEventListener("scroll", () => {
      this.#follow = list.scrollHeight - list.scrollTop - list.clientHeight < 24;
    }, { passive: true });
    new ResizeObserver(() => this.#scroll()).observe(list);
  }

  /** @param {HTMLElement} item @param {boolean} mine shown even to a reader who scrolled up */
  append(item, mine = false) {
    this.list.append(item);
    while (this.list.children.length > LOG_LINES) this.list.firstElementChild.remove();
    this.#follow ||= mine;
    this.#scroll();
  }

  clear() {
    this.list.replaceChildren();
    this.#follow = true;
  }

  #scroll() {
    if (this.#follow) this.list.scrollTop = this.list.scrollHeight;
  }
}

// ---- theme ----------------------------------------------------------------
/** Follows the system until the toggle says otherwise; calls back when the colours change. */
function startTheme(onChange) {
  const toggle = byId("theme-toggle"), dark = matchMedia("(prefers-color-scheme: dark)");
  const system = () => (dark.matches ? "dark" : "light");
  let chosen = recall("localStorage", "flowsock-theme");

  function apply() {
    const theme = chosen || system(), next = theme === "dark" ? "light" : "dark";
    document.documentElement.dataset.theme = theme;
    toggle.dataset.next = next;
    toggle.title = toggle.ariaLabel = `Switch to the ${next} theme`;
    onChange();
  }

  toggle.addEventListener("click", () => {
    const { next } = toggle.dataset;
    chosen = next === system() ? "" : next; // back at what the system says: follow it again
    remember("localStorage", "flowsock-theme", chosen);
    apply();
  });
  dark.addEventListener("change", apply);
  apply();
}

// ---- echo -----------------------------------------------------------------
function startEcho() {
  const input = byId("echo-input"), send = byId("echo-send");
  const log = new Log(byId("echo-log"));
  let sentAt = []; // when the texts not answered yet were sent

  function addLine(kind, text, trip = "") {
    const line = make("li", kind);
    line.append(make("span", "text", text));
    if (trip) line.append(" ", make("span", "trip", trip));
    log.append(line, kind === "sent");
  }

  function onState(state, close) {
    showState(byId("echo-state"), state);
    input.readOnly = send.disabled = state !== "open";
    byId("echo-closed").hidden = state !== "closed";
    if (state !== "closed") return;
    sentAt = [];
    byId("echo-close-text").textContent = `Closed: ${describeClose(close)}`;
    addLine("note", `closed: ${describeClose(close)}`);
  }

  function onText(text) {
    const sent = text.startsWith("You said: ") ? sentAt.shift() : undefined;
    addLine("received", text, sent === undefined ? "" : `${(performance.now() - sent).toFixed(1)} ms`);
  }

  const socket = new Socket({ path: () => "/echo", onState, onText });

  byId("echo-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!input.value || !socket.send(input.value)) return;
    sentAt.push(performance.now());
    addLine("sent", input.value);
    input.value = "";
  });
  byId("echo-reconnect").addEventListener("click", () => {
    input.focus(); // the button is about to go
    socket.connect();
  });
  socket.connect();
}

// ---- chat -----------------------------------------------------------------
/** @returns {string} a name such as "teal-otter-42" */
function friendlyName() {
  const colour = pick(["teal", "amber", "coral", "indigo", "mint", "plum", "russet", "silver"]);
  const animal = pick(["otter", "heron", "lynx", "finch", "badger", "marten", "seal", "wren"]);
  return `${colour}-${animal}-${10 + Math.floor(Math.random() * 90)}`;
}

/** An element coloured after a name: the same hue wherever that name is seen. */
function makeNamed(tag, className, name, text = name) {
  const hash = [...name].reduce((sum, char) => (sum * 31 + char.codePointAt(0)) % 65521, 7);
  const element = make(tag, className, text);
  element.style.setProperty("--hue", (hash * 137.5) % 360);
  return element;
}

/** @param {number} at seconds since 1970 @returns {string} such as "08:15 PM" */
const formatTime = (at) => new Date(at * 1000).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

function startChat() {
  const room = byId("chat-room"), name = byId("chat-name"), join = byId("chat-join");
  const input = byId("chat-input"), send = byId("chat-send"), error = byId("chat-error");
  const log = new Log(byId("chat-log"));
  const shown = new Set(); // what a replay after a reconnect need not show again
  let live = false, replayed = false; // is the replay over? did it show anything?
  let before = "closed", members = [];

  const addNote = (text, kind = "note") => log.append(make("li", kind, text));

  function addSaid({ who, text, at }) {
    const key = JSON.stringify([who, text, at]);
    if (!live && shown.has(key)) return;
    shown.add(key);
    replayed ||= !live;
    const mine = who === name.value, time = formatTime(at), by = `${who} ${time}`;
    const item = makeNamed("li", "said", who, "");
    item.classList.toggle("mine", mine);
    item.classList.toggle("past", !live);
    item.classList.toggle("more", log.list.lastElementChild?.dataset.by === by); // one heading for a run
    item.dataset.by = by;
    const meta = make("span", "meta");
    meta.append(make("span", "who", who), " ", make("time", "", time));
    item.append(meta, " ", make("span", "text", text));
    log.append(item, mine && live);
  }

  function setLive(value) {
    live = value;
    log.list.ariaBusy = String(!value); // a replay is not read out line by line
    if (live && replayed) addNote("history", "divider");
    replayed = false;
  }

  function showMembers(names) {
    byId("chat-members").replaceChildren(...names.map((who) => makeNamed("li", who === name.value ? "me" : "", who)));
  }

  /** The first list after a connection says that the history is over; the others tell who came and went. */
  function takeMembers({ names }) {
    const known = live ? members : names.filter((who) => who !== name.value);
    if (!live) setLive(true);
    for (const who of names) if (!known.includes(who)) addNote(`${who} joined`);
    for (const who of known) if (!names.includes(who)) addNote(`${who} left`);
    members = names;
    showMembers(names);
  }

  const onMessage = { said: addSaid, members: takeMembers };

  function onText(text) {
    const message = parse(text);
    if (Object.hasOwn(onMessage, message.kind)) onMessage[message.kind](message);
  }

  function onState(state, close) {
    const joined = state !== "closed", writable = state === "open" || state === "reconnecting";
    showState(byId("chat-state"), state);
    room.disabled = name.disabled = joined;
    join.textContent = joined ? "Leave" : "Join";
    join.classList.toggle("primary", !joined);
    input.readOnly = !writable;
    input.placeholder = writable ? `Message to ${room.value}` : "Join a room to write";
    send.disabled = state !== "open";
    if (state === "reconnecting" && before === "open") addNote("connection lost");
    if (state === "open") setLive(false);
    if (state === "closed") onClosed(close);
    before = state;
  }

  function onClosed(close) {
    log.list.ariaBusy = "false";
    showMembers([]);
    if (close.code !== REFUSED) return addNote("you left");
    showError(`Could not join: ${close.reason || "the room refused"}`);
    if (document.activeElement.matches("body, .chat *")) name.select(); // also focuses it
  }

  function showError(text) {
    error.hidden = !text;
    error.textContent = text;
    name.ariaInvalid = String(Boolean(text));
  }

  const socket = new Socket({
    path: () => `/chat/${encodeURIComponent(room.value)}?name=${encodeURIComponent(name.value)}`,
    retry: ({ code }) => code !== REFUSED,
    onState,
    onText,
  });

  byId("chat-form").addEventListener("submit", (event) => {
    event.preventDefault();
    if (socket.state !== "closed") return socket.close();
    for (const field of [room, name]) field.value = field.value.trim();
    if (!event.target.reportValidity()) return;
    remember("sessionStorage", "flowsock-name", name.value);
    showError("");
    shown.clear();
    log.clear();
    socket.connect();
    input.focus();
  });
  byId("chat-say").addEventListener("submit", (event) => {
    event.preventDefault();
    if (input.value.trim() && socket.send(input.value)) input.value = "";
  });
  // remembered per tab: a second tab has a name of its own, so that the two can talk
  name.value = recall("sessionStorage", "flowsock-name") ?? friendlyName();
  remember("sessionStorage", "flowsock-name", name.value);
}

// ---- charts ---------------------------------------------------------------
/** Round axis bounds around the values: two to four steps of 1, 2 or 5 times a power of ten. */
function niceScale(low, high, { zero, span }) {
  const from = zero ? 0 : low;
  const raw = Math.max(high - from, span) / 3, power = 10 ** Math.floor(Math.log10(raw));
  const step = power * [1, 2, 5, 10].find((factor) => factor * power >= raw * 0.999);
  const bottom = Math.floor(from / step) * step;
  const steps = Math.ceil(Math.max(high - bottom, span) / step - 1e-9);
  return { bottom, top: bottom + steps * step, step, steps };
}

/** A tile of the dashboard: the number, the live line of the last minute and its range. */
class Tile {
  #number; #extent; #canvas; #options; #frame = 0;
  #points = []; // {at, value, gap}

  /** @param {{zero: boolean, span: number, digits: number}} options does the axis start at 0? its least extent? */
  constructor(key, options) {
    this.#number = byId(`dash-${key}`);
    const tile = this.#number.closest(".tile");
    this.#extent = tile.querySelector(".extent");
    this.#canvas = tile.querySelector("canvas");
    this.#options = options;
    new ResizeObserver(() => this.redraw()).observe(this.#canvas);
  }

  /** Shows a value; `gap` breaks the line before it. */
  show(at, value, gap) {
    const points = this.#points;
    if (at < points.at(-1)?.at) points.length = 0; // the clock was set back
    points.push({ at, value, gap: gap || at - points.at(-1)?.at > CHART_GAP });
    while (points[0].at < at - CHART_SECONDS - 1) points.shift();
    const [low, high] = this.#range();
    this.#number.textContent = this.#format(value);
    this.#extent.textContent = `min ${this.#format(low)} · max ${this.#format(high)}`;
    this.redraw();
  }

  redraw() {
    this.#frame ||= requestAnimationFrame(() => {
      this.#frame = 0;
      if (this.#points.length) this.#draw();
    });
  }

  #format(value) {
    return value.toFixed(value < 1000 ? this.#options.digits : 0);
  }

  #range() {
    const values = this.#points.map(({ value }) => value);
    return [Math.min(...values), Math.max(...values)];
  }

  #draw() {
    const canvas = this.#canvas, context = canvas.getContext("2d");
    const { clientWidth: width, clientHeight: height } = canvas;
    canvas.width = Math.round(width * devicePixelRatio); // also clears it
    canvas.height = Math.round(height * devicePixelRatio);
    context.scale(devicePixelRatio, devicePixelRatio);
    const scale = niceScale(...this.#range(), this.#options), top = 7, bottom = height - 7;
    const right = drawAxis(context, top, bottom, width, scale, getComputedStyle(canvas.parentElement));
    const end = this.#points.at(-1);
    const place = ({ at, value }) => [
      right * (1 - (end.at - at) / CHART_SECONDS),
      bottom - ((value - scale.bottom) / (scale.top - scale.bottom)) * (bottom - top),
    ];
    const lines = [];
    for (const point of this.#points) {
      if (point.gap || !lines.length) lines.push([]);
      lines.at(-1).push(place(point));
    }
    context.fillStyle = context.strokeStyle = getComputedStyle(canvas).color;
    for (const line of lines) drawLine(context, bottom, line);
    context.beginPath();
    context.arc(...place(end), 3, 0, 2 * Math.PI);
    context.fill();
  }
}

/** Draws the grid and the labels of its ends; returns where the plot ends on the right. */
function drawAxis(context, top, bottom, width, scale, { color, fontFamily }) {
  const labels = [scale.top, scale.bottom].map((value) => value.toFixed(scale.step < 1 ? 1 : 0));
  context.font = `11px ${fontFamily}`;
  context.fillStyle = context.strokeStyle = color;
  context.textAlign = "right";
  context.textBaseline = "middle";
  labels.forEach((label, i) => context.fillText(label, width, i ? bottom : top));
  const right = width - 10 - Math.max(...labels.map((label) => context.measureText(label).width));
  context.globalAlpha = 0.22;
  for (let i = 0; i <= scale.steps; i++) {
    context.fillRect(0, Math.round(bottom - (i / scale.steps) * (bottom - top)), right, 1);
  }
  context.globalAlpha = 1;
  return right;
}

/** Draws a smooth line (curves between the middles of its pieces) and fills the area below. */
function drawLine(context, bottom, spots) {
  const first = spots[0], last = spots.at(-1);
  context.beginPath();
  context.moveTo(...first);
  for (let i = 1; i < spots.length; i++) {
    const [x, y] = spots[i - 1];
    context.quadraticCurveTo(x, y, (x + spots[i][0]) / 2, (y + spots[i][1]) / 2);
  }
  context.lineTo(...last);
  context.lineWidth = 1.75;
  context.lineJoin = context.lineCap = "round";
  context.stroke();
  context.lineTo(last[0], bottom);
  context.lineTo(first[0], bottom);
  context.globalAlpha = 0.14;
  context.fill();
  context.globalAlpha = 1;
}

// ---- dashboard ------------------------------------------------------------
/** @returns {string} such as "0:01:13" */
function formatUptime(seconds) {
  return `${Math.floor(seconds / 3600)}:${new Date(seconds * 1000).toISOString().slice(14, 19)}`;
}

/** @returns {() => void} draws the charts again */
function startDashboard() {
  const card = byId("dash-state").closest(".card"), aside = byId("dash-uptime");
  const tiles = {
    cpu: new Tile("cpu", { zero: true, span: 3, digits: 1 }),
    memory: new Tile("memory", { zero: false, span: 1.5, digits: 1 }),
    sessions: new Tile("sessions", { zero: true, span: 3, digits: 0 }),
    messages: new Tile("messages", { zero: true, span: 3, digits: 1 }),
  };
  const redraw = () => Object.values(tiles).forEach((tile) => tile.redraw());
  let gap = false; // do the next data come after an outage?

  function onState(state, close, delay) {
    showState(byId("dash-state"), state);
    card.toggleAttribute("data-stale", state !== "open");
    redraw(); // stale data are drawn in another colour
    if (state !== "reconnecting") return;
    gap = true;
    aside.textContent = `next try in ${(delay / 1000).toFixed(1)} s`;
  }

  function onText(text) {
    const data = parse(text);
    if (!Number.isFinite(data.at)) return;
    for (const [key, tile] of Object.entries(tiles)) tile.show(data.at, data[key], gap);
    aside.textContent = `up ${formatUptime(data.uptime)}`;
    gap = false;
  }

  new Socket({ path: () => "/dashboard", retry: () => true, onState, onText }).connect();
  return redraw;
}

// ---- the page -------------------------------------------------------------
startTheme(startDashboard());
startEcho();
startChat();
