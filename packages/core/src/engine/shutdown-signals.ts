/** Closing workers when the process is told to end: one handler per signal, whatever the number of workers. */

type Close = () => Promise<void>;

const closers = new Map<NodeJS.Signals, Set<Close>>();
const handlers = new Map<NodeJS.Signals, () => void>();

/**
 * Calls `close` on the signal, waits for all that were registered, and lets the signal do what it would have done
 * without us; a program with a handler of its own decides itself when to exit. The same signal once more, while workers
 * are closing, is not held up. Returns the function that unregisters.
 */
export function closeOnSignal(signal: NodeJS.Signals, close: Close): () => void {
  const set = closers.get(signal) ?? new Set();
  closers.set(signal, set);
  set.add(close);
  if (!handlers.has(signal)) {
    const handler = (): void => {
      forget(signal);
      void Promise.allSettled([...set].map((closer) => closer())).then(() => {
        if (process.listenerCount(signal) === 0) process.kill(process.pid, signal);
      });
    };
    handlers.set(signal, handler);
    process.once(signal, handler);
  }
  return () => {
    set.delete(close);
    if (set.size === 0) forget(signal);
  };
}

function forget(signal: NodeJS.Signals): void {
  const handler = handlers.get(signal);
  if (handler !== undefined) process.removeListener(signal, handler);
  handlers.delete(signal);
  closers.delete(signal);
}
