/**
 * The wire to the host: one session, its stream of events, and commands.
 *
 *   const wire = new Wire();
 *   wire.on("epoch", (data) => ...);            any event of the contract; "status" and "session" are the wire's own
 *   await wire.open();                          finds the tab's session again, or begins one; never gives up
 *   await wire.command("set", {settings: {rate: 0.1}});   the answer; rejects with an Error whose message is for people
 *
 * wire.status is "starting", "live" or "gone"; "status" is told {status, reason, words}. "session" is told {fresh}
 * whenever a session has begun (fresh) or was found again: its rooms are to be opened again. Tensors arrive as
 * {shape, data: Uint8Array | Float32Array}. wire.last holds what came last of each event of the room that is open.
 */

const KEY = "moonglass-session";
const EVENTS = [
  "schema", "state", "epoch", "curve", "failure", "bye",
  "points", "features", "units", "weights",
  "digits", "filters", "code", "map", "map_before", "density", "pca", "memory", "drawing", "samples",
];
const WORDS = {
  idle: "The session ended because nothing happened for a while.",
  replaced: "Another tab took this session's place.",
  shutdown: "The server was stopped.",
  gone: "The server does not answer. Is moonglass-playground still running? The page tries again by itself.",
};

/** The bytes that base64 stands for. */
export function bytesOf(base64) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(base64);
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}

/** Tensors of a parsed event, at any depth, become {shape, data}. */
function decode(value) {
  if (value === null || typeof value !== "object") return value;
  if (Array.isArray(value)) return typeof value[0] === "object" ? value.map(decode) : value;
  if (typeof value.u8 === "string") return {shape: value.shape, data: bytesOf(value.u8)};
  if (typeof value.f32 === "string") {
    return {shape: value.shape, data: new Float32Array(bytesOf(value.f32).buffer)};
  }
  for (const key in value) value[key] = decode(value[key]);
  return value;
}

/** Bytes as base64, for a command that carries pictures. */
export function base64Of(bytes) {
  let text = "";
  for (let i = 0; i < bytes.length; i += 8192) text += String.fromCharCode(...bytes.subarray(i, i + 8192));
  return btoa(text);
}

const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Keeps a session for this tab until it is closed or reloaded. False: another tab has it. A browser has locks only for
 *  pages of this computer and for https; elsewhere a duplicated tab shares the session. */
function hold(token) {
  if (!navigator.locks) return Promise.resolve(true);
  return new Promise((known) => {
    navigator.locks.request(`${KEY} ${token}`, {ifAvailable: true}, (lock) => {
      known(lock !== null);
      return lock && new Promise(() => {});
    });
  });
}

/** The session that the tab had before a reload. A duplicated tab gets a copy of it, which is not its own. */
async function kept() {
  const token = sessionStorage.getItem(KEY);
  return token && (await hold(token)) ? token : null;
}

export class Wire {
  static EVENTS = EVENTS;

  constructor() {
    this.status = "starting";
    this.last = {};
    this.about = {};
    this.token = null;
    this.listeners = new Map();
    // commands wait for the first session
    this.tail = new Promise((done) => { this.begun = done; });
    this.source = null;
    this.opening = null;
    this.tries = 0;
    this.goodbye = null; // the reason that the host gave
  }

  on(event, listener) {
    if (!this.listeners.has(event)) this.listeners.set(event, new Set());
    this.listeners.get(event).add(listener);
    return () => this.off(event, listener);
  }

  off(event, listener) {
    this.listeners.get(event)?.delete(listener);
  }

  tell(event, data) {
    for (const listener of this.listeners.get(event) ?? []) listener(data);
  }

  /** Connects; resolves when a session is there. Who asks while it connects waits for the same one. */
  open() {
    this.opening ??= this.connect().finally(() => { this.opening = null; });
    return this.opening;
  }

  /** While the server is away, or has no room for another session, it tries again, and says so. */
  async connect() {
    for (;;) {
      try {
        this.token ??= await kept();
        if (!this.token || !(await this.alive())) await this.begin();
        this.begun();
        return this.listen();
      } catch (error) {
        this.lost("gone", error.status && `No session: ${error.message}. The page tries again by itself.`);
        await pause(Math.min(400 * 1.5 ** this.tries++, 3000));
      }
    }
  }

  /** Goes on after an end that does not mend itself (idle, replaced). */
  again() {
    this.tries = 0;
    return this.open();
  }

  async begin() {
    const answer = await this.post("/api/session", {}, null);
    if (!answer.token) throw new Error("The server gave no session.");
    this.token = answer.token;
    await hold(answer.token);
    this.about = answer;
    this.last = {};
    sessionStorage.setItem(KEY, answer.token);
    this.tell("session", {...answer, fresh: true});
  }

  async alive() {
    try {
      await this.post("/api/command", {do: "watch", panels: []}, this.token);
      this.tell("session", this.about);
      return true;
    } catch (error) {
      if (error.status === 401) return false;
      if (error.status) return true;
      throw error;
    }
  }

  listen() {
    this.source?.close();
    const source = new EventSource(`/api/stream?token=${encodeURIComponent(this.token)}`);
    this.source = source;
    source.onopen = () => this.found();
    source.onerror = () => {
      if (this.source !== source) return;
      source.close();
      this.source = null;
      this.lost("gone");
      setTimeout(() => this.open(), 500);
    };
    for (const name of EVENTS) source.addEventListener(name, (event) => this.receive(name, event.data));
  }

  receive(name, text) {
    const data = decode(JSON.parse(text));
    if (name === "schema" && data.slot !== this.last.schema?.slot) this.last = {}; // what came was of another room
    this.last[name] = data;
    if (name === "bye") this.ended(data.reason);
    this.tell(name, data);
  }

  /** The host said goodbye. A stopped server may come back; for the rest a person decides. */
  ended(reason) {
    this.source?.close();
    this.source = null;
    this.lost(reason);
    this.goodbye = reason;
    if (reason === "shutdown") setTimeout(() => this.open(), 500);
  }

  found() {
    this.tries = 0;
    this.goodbye = null;
    this.status = "live";
    this.tell("status", {status: "live", words: "connected"});
  }

  /** What the host said when it ended stays until it is back. */
  lost(reason, words = WORDS[reason]) {
    if (this.goodbye && words === WORDS.gone) return;
    this.status = "gone";
    this.tell("status", {status: "gone", reason, words: words || WORDS.gone});
  }

  /** Sends a command after those before it; the host sees them in the order they were given. */
  command(name, args = {}) {
    const sent = this.tail.then(() => this.attempt({do: name, ...args}));
    this.tail = sent.catch(() => {});
    return sent;
  }

  /** "Too many" is a matter of waiting; a session that is not known any more begins anew. */
  async attempt(body) {
    for (let tries = 0; ; tries++) {
      try {
        return await this.post("/api/command", body, this.token);
      } catch (error) {
        if (error.status === 401 && this.source) {
          this.source.close();
          this.source = null;
          this.open();
        }
        if (error.status !== 429 || tries === 5) throw error;
        await pause(250);
      }
    }
  }

  async post(path, body, token) {
    const headers = {"Content-Type": "application/json"};
    if (token) headers["X-Moonglass-Token"] = token;
    let reply;
    try {
      reply = await fetch(path, {method: "POST", headers, body: JSON.stringify(body), cache: "no-store"});
    } catch {
      throw new Error(WORDS.gone);
    }
    const answer = await reply.json().catch(() => ({}));
    if (reply.ok) return decode(answer);
    throw Object.assign(new Error(answer.error ?? `The server answered ${reply.status}.`), {status: reply.status});
  }
}
