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
