/** The timers of this World. */

/**
 * Acts again and again. Never keeps the process alive, and nothing but tidiness depends on it.
 *
 * @returns the function that ends it
 */
export function every(milliseconds: number, act: () => void): () => void {
  const timer = setInterval(act, milliseconds).unref();
  return () => clearInterval(timer);
}

// Into so many pieces a time is divided. One during which the process was busy counts once, however long it was.
const PIECES = 10;

/**
 * What a promise gives, or, after so many milliseconds, a rejection with what `tooLate` gives. Only time in which this
 * process could hear the answer counts: while it computes, answers wait for it. It keeps the process alive: somebody waits
 * for the answer.
 */
export function within<T>(promise: Promise<T>, milliseconds: number, tooLate: () => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    let pieces = PIECES;
    let last: NodeJS.Immediate | undefined;
    const timer = setInterval(
      () => {
        pieces--;
        if (pieces > 0) return;
        clearInterval(timer);
        // What has arrived is read before.
        last = setImmediate(() => reject(tooLate()));
      },
      Math.ceil(milliseconds / PIECES),
    );
    promise.then(resolve, reject).finally(() => {
      clearInterval(timer);
      clearImmediate(last);
    });
  });
}
