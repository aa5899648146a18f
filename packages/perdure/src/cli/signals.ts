/** Signals that end a command which goes on. */

/** Resolves at the first signal. A second one ends the process as ever. */
export function untilSignal(): Promise<void> {
  return new Promise((resolve) => {
    const signals = ["SIGTERM", "SIGINT"] as const;
    const stop = (): void => {
      for (const signal of signals) process.removeListener(signal, stop);
      resolve();
    };
    for (const signal of signals) process.once(signal, stop);
  });
}
