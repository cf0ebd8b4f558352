// Sends what a drag wants: at most once an animation frame, never two at a time, and the newest wins.

/**
 * @param {function(*): Promise} send  sends one value and answers when it has arrived
 * @param {function(Error)} failed     told when it was refused
 * @returns {function(*)} takes the newest value; what was waiting is forgotten. Its `busy` tells whether one is on its way.
 */
export function latest(send, failed) {
  let waiting = null; // {value}, or null
  let flying = false;
  let asked = false;

  function go() {
    asked = false;
    if (flying || !waiting) return;
    const { value } = waiting;
    waiting = null;
    flying = true;
    send(value).catch(failed).finally(() => {
      flying = false;
      ask();
    });
  }

  function ask() {
    if (asked || flying || !waiting) return;
    asked = true;
    requestAnimationFrame(go);
  }

  function push(value) {
    waiting = { value };
    ask();
  }
  Object.defineProperty(push, "busy", { get: () => flying || waiting !== null });
  return push;
}
