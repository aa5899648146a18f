import { checkOptionNames, type OptionNames } from "../option-names.ts";
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

const WRITABLE: OptionNames<WorkflowWritableStreamOptions> = { namespace: true };
const READABLE: OptionNames<WorkflowReadableStreamOptions> = {
  ...WRITABLE,
  startIndex: true,
  attempts: true,
};
const CHUNKS: OptionNames<RunChunksOptions> = { ...READABLE, signal: true };

/** Reads what was passed to `getWritable`: the stream's name. */
export function writableOptions(options: WorkflowWritableStreamOptions): string {
  checkOptionNames("getWritable()", options, WRITABLE);
  checkNamespace(options.namespace);
  return namespaceStream(options.namespace);
}

function checkNamespace(namespace: unknown): void {
  if (namespace === undefined) return;
  if (typeof namespace !== "string" || namespace === "" || namespace.length > 200) {
    throw new TypeError(
      `namespace: must be a string of 1 to 200 characters, got ${String(namespace).slice(0, 80)}.`,
    );
  }
}

/** Reads what was passed to `getReadable`: the stream's name, and how it is read. */
export function readableOptions(
  caller: "getReadable()" | "chunks()",
  options: RunChunksOptions,
): {
  readonly name: string;
  readonly reading: ReadStreamOptions;
} {
  checkOptionNames(
    caller,
    options,
    caller === "chunks()" ? CHUNKS : (READABLE as OptionNames<RunChunksOptions>),
  );
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
