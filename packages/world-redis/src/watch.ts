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

/**
 * What a promise gives, or, after so many milliseconds, a rejection with what `tooLate` gives. It keeps the process alive:
 * somebody waits for the answer.
 */
export function within<T>(promise: Promise<T>, milliseconds: number, tooLate: () => unknown): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(tooLate()), milliseconds);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}
