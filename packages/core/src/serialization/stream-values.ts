/**
 * Streams of the platform in values. Streams of runs are written by their class; any other one is adopted by whoever passes the value,
 * who puts it into a stream of a run and gives that in its place.
 */
import { Refusal } from "./kinds.ts";

/** Who adopts the streams of a value. */
export interface StreamOutlet {
  /**
   * The stream of a run, in place of this one: the same each time. Why there is none, as the end of a sentence, as an error.
   *
   * @throws {Error}
   */
  adopt(stream: ReadableStream | WritableStream): object;
}

/** Of the value that is being written; writing is synchronous. */
let outlet: StreamOutlet | null = null;

/** Does what writes a value; its streams go to `adopting`. */
export function withOutlet<T>(adopting: StreamOutlet | null, work: () => T): T {
  const before = outlet;
  outlet = adopting;
  try {
    return work();
  } finally {
    outlet = before;
  }
}

/** What is written in place of a stream; `false` for anything else. */
export function streamInPlaceOf(value: object): unknown {
  if (!(value instanceof ReadableStream) && !(value instanceof WritableStream)) return false;
  if (outlet === null) {
    return new Refusal(
      "is a stream that no run has, and cannot be stored here. Pass it as an argument of start(), as a payload of resumeHook(), or " +
        "return it from a step; a WritableStream of the run is getWritable().",
    );
  }
  try {
    return outlet.adopt(value);
  } catch (error) {
    return new Refusal((error as Error).message);
  }
}
