import { checkOptionNames } from "../option-names.ts";
import { registerClass, WORKFLOW_DESERIALIZE, WORKFLOW_SERIALIZE } from "../serialization/index.ts";
import type { Chunk } from "../world/index.ts";
import type { StreamAccess } from "./access.ts";
import { decodeChunk } from "./chunk-format.ts";
import { attemptOf } from "./names.ts";
import { type ReadStreamOptions, StreamReader } from "./read-stream.ts";
import type { RunStreams } from "./run-streams.ts";
import { addressOf, refFrom, type StreamRef } from "./stream-ref.ts";
import { accessFor, ofStep, refuseStreamInWorkflow } from "./user.ts";

/** A stream of a run for those who read it: a `ReadableStream` that takes its chunks from the store when somebody asks for them. */

/** A chunk of a stream with its place. */
export interface StreamChunk<T = unknown> {
  /** Its place in the stream: 0, 1, 2 …; those of attempts that do not count have one too. */
  readonly index: number;
  readonly data: T;
  /** The step that wrote it, and in which attempt; `null`: no step did. A later attempt's chunks take the place of earlier ones. */
  readonly stepId: string | null;
  readonly attempt: number | null;
}

/** Options of {@link WorkflowReadableStream.getChunks}. */
export interface GetChunksOptions {
  /** At most so many, 1 to 1000. Default 100. */
  readonly limit?: number;
  /** The `cursor` of the page before. Default: from the stream's `startIndex` on. */
  readonly cursor?: string | null;
}

/** A page of a stream. */
export interface StreamChunkPage<T = unknown> {
  readonly data: readonly StreamChunk<T>[];
  /** Pass it on for what comes after; `null`: nothing will. */
  readonly cursor: string | null;
  /** There is more at the moment. */
  readonly hasMore: boolean;
  /** The stream has ended: what it has is all. */
  readonly done: boolean;
}

/** What `ReadableStream` has that reads. */
const READS = [
  "getReader",
  "pipeTo",
  "pipeThrough",
  "tee",
  "cancel",
  "values",
  Symbol.asyncIterator,
] as const;

/**
 * A `ReadableStream` of a run. Ends when the stream was closed or its run has ended, with an error if it was fed by a stream that
 * failed. In a workflow it is a value that is passed on; as an argument, result or payload it crosses the journal as its name.
 */
export class WorkflowReadableStream<T = unknown> extends ReadableStream<T> {
  readonly #ref: StreamRef;
  readonly #options: ReadStreamOptions;
  #access: StreamAccess | null;

  /** @internal */
  constructor(ref: StreamRef, access: StreamAccess | null, options: ReadStreamOptions = {}) {
    const controller = new AbortController();
    let chunks: AsyncGenerator<StreamChunk<T>, void, void> | null = null;
    super(
      {
        pull: async (queue) => {
          const reading = { ...options, repeats: false };
          chunks ??= chunksOf<T>(ref, accessFor(this.#access), reading, controller.signal);
          const next = await chunks.next();
          if (next.done === true) queue.close();
          else queue.enqueue(next.value.data);
        },
        cancel: (reason) => controller.abort(reason),
      },
      // Nothing is read before somebody asks.
      { highWaterMark: 0 },
    );
    this.#ref = ref;
    this.#options = options;
    this.#access = ofStep() ?? access;
  }

  /** The index of the last chunk that the stream has at the moment; -1: it has none. */
  async getTailIndex(): Promise<number> {
    return (await this.#ask("getTailIndex()", (reader) => reader.length())) - 1;
  }

  /** A page of what the stream has at the moment; does not wait for more. */
  async getChunks(options: GetChunksOptions = {}): Promise<StreamChunkPage<T>> {
    checkOptionNames<GetChunksOptions>("getChunks()", options, { limit: true, cursor: true });
    const { limit = 100, cursor } = options;
    if (!Number.isInteger(limit) || limit < 1 || limit > 1000) {
      throw new TypeError(
        `getChunks({ limit }): must be a whole number from 1 to 1000, got ${String(limit)}.`,
      );
    }
    const from = cursor == null ? (this.#options.startIndex ?? 0) : Number(cursor);
    if (!Number.isInteger(from) || (cursor != null && from < 0)) {
      throw new TypeError("getChunks({ cursor }): must be the cursor of another page.");
    }
    const { chunks, next, length, closed } = await this.#ask("getChunks()", (reader) =>
      reader.page(from, limit),
    );
    const hasMore = next < length;
    return {
      data: chunks.map((chunk) => streamChunk<T>(chunk)),
      cursor: closed && !hasMore ? null : String(next),
      hasMore,
      done: closed,
    };
  }

  async #ask<R>(what: string, question: (reader: StreamReader) => Promise<R>): Promise<R> {
    refuseStreamInWorkflow(what);
    const access = accessFor(this.#access);
    return await access.awaited(async () => {
      return await question(
        new StreamReader(await access.open(), addressOf(this.#ref), this.#options.attempts),
      );
    });
  }

  static {
    for (const name of READS) {
      const read = Reflect.get(ReadableStream.prototype, name) as (...args: unknown[]) => unknown;
      const value = function (this: WorkflowReadableStream, ...args: unknown[]): unknown {
        refuseStreamInWorkflow(`${typeof name === "string" ? `${name}()` : "for await"} of a stream`);
        this.#access ??= accessFor(null);
        return read.apply(this, args);
      };
      Object.defineProperty(WorkflowReadableStream.prototype, name, {
        value,
        configurable: true,
        writable: true,
      });
    }
    // The names of static methods would have to be inferred in the declarations.
    Object.defineProperties(WorkflowReadableStream, {
      [WORKFLOW_SERIALIZE]: {
        value: (stream: WorkflowReadableStream) => ({ ...stream.#ref, options: stream.#options }),
      },
      [WORKFLOW_DESERIALIZE]: {
        value: (data: { readonly options: ReadStreamOptions }) => {
          const { ref, access } = refFrom(data);
          return new WorkflowReadableStream(ref, access, data.options);
        },
      },
    });
    registerClass("perdure/ReadableStream", WorkflowReadableStream);
  }
}

/** The chunks of a stream, as they come, until it ends or the signal is aborted. Throws the error that ended it. */
export async function* chunksOf<T>(
  ref: StreamRef,
  access: StreamAccess,
  { startIndex = 0, attempts, repeats }: ReadStreamOptions & { readonly repeats: boolean },
  signal: AbortSignal,
): AsyncGenerator<StreamChunk<T>, void, void> {
  const streams: RunStreams = await access.open();
  const address = addressOf(ref);
  const stretches = new StreamReader(streams, address, attempts).follow(startIndex, repeats, signal);
  try {
    for (;;) {
      const next = await access.awaited(() => stretches.next(), address.runId);
      if (next.done === true) return;
      for (const chunk of next.value.chunks) {
        if (signal.aborted) return;
        yield streamChunk<T>(chunk);
      }
    }
  } finally {
    await stretches.return();
  }
}

/** The chunks of a stream, those of all attempts as they come, until it ends or a signal of the caller's is aborted. */
export async function* chunksUntil<T>(
  ref: StreamRef,
  access: StreamAccess,
  options: ReadStreamOptions,
  signal: AbortSignal | undefined,
): AsyncGenerator<StreamChunk<T>, void, void> {
  if (signal?.aborted === true) return;
  const controller = new AbortController();
  const onAbort = (): void => controller.abort(signal?.reason);
  signal?.addEventListener("abort", onAbort);
  try {
    yield* chunksOf<T>(ref, access, { ...options, repeats: true }, controller.signal);
  } finally {
    signal?.removeEventListener("abort", onAbort);
  }
}

function streamChunk<T>({ index, writer, data }: Chunk): StreamChunk<T> {
  const content = decodeChunk(data);
  if (content.type === "error") throw content.error;
  const by = attemptOf(writer);
  return { index, data: content.value as T, stepId: by?.stepId ?? null, attempt: by?.attempt ?? null };
}
