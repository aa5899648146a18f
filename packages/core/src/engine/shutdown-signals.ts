import { systemSetImmediate } from "../clock.ts";

/** Closing workers when the process is told to end: one handler per signal, whatever the number of workers. */

type Close = () => Promise<void>;

const closers = new Map<NodeJS.Signals, Set<Close>>();
const handlers = new Map<NodeJS.Signals, () => void>();

/**
 * Calls `close` on the signal, waits for all that were registered, and lets the signal do what it would have done
 * without us; a program with a handler of its own decides itself when to exit. Whatever signal comes while workers are
 * closing is not held up: a second one ends the process, even if closing hangs. Returns the function that unregisters.
 */
export function closeOnSignal(signal: NodeJS.Signals, close: Close): () => void {
  const set = closers.get(signal) ?? new Set();
  closers.set(signal, set);
  set.add(close);
  if (!handlers.has(signal)) {
    const handler = (): void => {
      for (const other of [...handlers.keys()]) forget(other);
      void Promise.allSettled([...set].map((closer) => closer())).then(() => {
        if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
      });
    };
    handlers.set(signal, handler);
    process.once(signal, handler);
  }
  return () => {
    set.delete(close);
    if (set.size === 0 && closers.get(signal) === set) forget(signal);
  };
}

/**
 * Takes the handlers away until the event loop turns again: called into an event loop that is blocked, where they cannot
 * run, so that the next signal ends the process by its default action.
 */
export function yieldSignals(): void {
  for (const [signal, handler] of handlers) {
    process.removeListener(signal, handler);
    systemSetImmediate(() => {
      if (handlers.get(signal) !== handler || process.listeners(signal).includes(handler)) return;
      process.once(signal, handler);
    });
  }
}

function forget(signal: NodeJS.Signals): void {
  const handler = handlers.get(signal);
  if (handler !== undefined) process.removeListener(signal, handler);
  handlers.delete(signal);
  closers.delete(signal);
}
