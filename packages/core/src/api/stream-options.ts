import { namespaceStream } from "../streams/names.ts";
import type { ReadStreamOptions } from "../streams/read-stream.ts";

/** What is asked of the streams of a run. */

// biome-ignore lint/suspicious/noExplicitAny: streams are passed to functions that name the type of their chunks
export type Chunks = any;

/** Options of {@link getWritable}. */
export interface WorkflowWritableStreamOptions {
  /** One of the run's further streams, 1 to 200 characters. Default: the run's own stream. */
  readonly namespace?: string;
}

/** Options of {@link Run.getReadable}. */
export interface WorkflowReadableStreamOptions extends ReadStreamOptions, WorkflowWritableStreamOptions {}

/** Options of {@link Run.chunks}. */
export interface RunChunksOptions extends WorkflowReadableStreamOptions {
  /** Ends the reading. */
  readonly signal?: AbortSignal;
}

/** Refuses what is no namespace. */
export function checkNamespace(namespace: unknown): void {
  if (namespace === undefined) return;
  if (typeof namespace !== "string" || namespace === "" || namespace.length > 200) {
    throw new TypeError(
      `namespace: must be a string of 1 to 200 characters, got ${String(namespace).slice(0, 80)}.`,
    );
  }
}

/** Reads what was passed to `getReadable`: the stream's name, and how it is read. */
export function readableOptions(options: WorkflowReadableStreamOptions): {
  readonly name: string;
  readonly reading: ReadStreamOptions;
} {
  const { namespace, startIndex, attempts } = options;
  checkNamespace(namespace);
  if (startIndex !== undefined && !Number.isSafeInteger(startIndex)) {
    throw new TypeError(`startIndex: must be a whole number, got ${String(startIndex)}.`);
  }
  if (attempts !== undefined && attempts !== "last" && attempts !== "all") {
    throw new TypeError(`attempts: must be "last" or "all", got ${JSON.stringify(attempts)}.`);
  }
  const reading = {
    ...(startIndex !== undefined && { startIndex }),
    ...(attempts !== undefined && { attempts }),
  };
  return { name: namespaceStream(namespace), reading };
}
