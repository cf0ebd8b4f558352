/**
 * Sends what a drag wants: at most once an animation frame and 40 times a second, never two at a time, the newest wins.
 *
 *   const send = latest((values) => wire.command("code", {values}), page.failed);
 *   send(values);   send.busy: one is on its way or waits
 */

const PAUSE = 25; // milliseconds between two commands: a fast screen has more frames than the host takes commands

export function latest(command, failed) {
  let waiting = null; // {value}, or null
  let flying = false;
  let asked = false;
  let before = -PAUSE;

  function go(now) {
    asked = false;
    if (flying || !waiting) return;
    if (now - before < PAUSE) return ask();
    const {value} = waiting;
    waiting = null;
    flying = true;
    before = now;
    command(value).catch(failed).finally(() => {
      flying = false;
      ask();
    });
  }

  function ask() {
    if (asked || flying || !waiting) return;
    asked = true;
    requestAnimationFrame(go);
  }

  function send(value) {
    waiting = {value};
    ask();
  }
  Object.defineProperty(send, "busy", {get: () => flying || waiting !== null});
  return send;
}
