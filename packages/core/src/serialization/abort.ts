/**
 * Abort signals and their controllers as values. What is stored names the signal: the run that it belongs to, and its id there.
 * Whoever writes or reads it, a workflow, a step or a caller outside, is its host, and ties the two ends together.
 */
import { contexts } from "../contexts.ts";

/** A signal as it is stored. */
export interface SignalData {
  /** The run that it belongs to; `null`: the one whose workflow reads it first. */
  readonly run: string | null;
  /** Which of that run's; `null` for one that nobody will abort any more. */
  readonly id: string | null;
  readonly aborted: boolean;
  /** With which reason it was aborted. */
  readonly reason?: unknown;
}

/** A signal that was read. */
export interface ReadSignal {
  readonly signal: AbortSignal;
  /** What aborts it; `null` if the host has only the signal. */
  readonly controller: AbortController | null;
}

/** Who writes and reads signals. */
export interface SignalHost {
  /** Names a signal; `controller` if whoever reads it may abort it. */
  write(signal: AbortSignal, controller: AbortController | null): SignalData;
  read(data: SignalData): ReadSignal;
}

/** Nobody is tied to the signals of others: they are as they were when they were stored. */
export const NO_SIGNALS: SignalHost = {
  write: (signal) => snapshot(signal),
  read: (data) => detached(data),
};

/** A value with signals is refused: what is read of them would not be aborted with them. */
export const NO_TIES: SignalHost = {
  write() {
    throw new TypeError("An abort signal is tied to whoever passes it.");
  },
  read: (data) => detached(data),
};

/** The host of the calling code. */
export function signalHost(): SignalHost {
  return (contexts.getStore() as { readonly signals?: SignalHost } | undefined)?.signals ?? NO_SIGNALS;
}

/** A signal as it is, without a name. */
export function snapshot(signal: AbortSignal): SignalData {
  return named(signal, null, null);
}

/** A signal as it is, under this name. */
export function named(signal: AbortSignal, run: string | null, id: string | null): SignalData {
  return signal.aborted
    ? { run, id, aborted: true, reason: signal.reason as unknown }
    : { run, id, aborted: false };
}

/** A signal as it was stored, which nobody aborts but whoever reads it. */
export function detached({ aborted, reason }: SignalData): ReadSignal {
  const controller = new AbortController();
  if (aborted) controller.abort(reason);
  return { signal: controller.signal, controller };
}

/** What is stored of a value that is a signal, else `false`. */
export function writeSignal(host: SignalHost, value: object): SignalData | false {
  return value instanceof AbortSignal && host.write(value, null);
}

/** What is stored of a value that is a controller, else `false`. */
export function writeController(host: SignalHost, value: object): SignalData | false {
  return value instanceof AbortController && host.write(value.signal, value);
}
