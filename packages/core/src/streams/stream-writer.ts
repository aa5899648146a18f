import { WorkflowRunNotFoundError, WorkflowRuntimeError } from "../errors/index.ts";
import { sizeInBatch } from "../serialization/index.ts";
import type { StreamAddress } from "../world/index.ts";
import type { RunStreams } from "./run-streams.ts";

/**
 * One writer of one stream. The first chunk goes to the store at once, those that come until its answer go together with the next
 * request. A lost answer does not double a chunk: each has its number.
 */

/** So much may wait for the store's answer before a writer has to wait. */
const ROOM = { chunks: 256, bytes: 256 * 1024 } as const;

/** The most chunks of one request. */
const MOST = 1_000;

export interface StreamWriterOptions {
  readonly streams: RunStreams;
  readonly address: StreamAddress;
  readonly writer: string;
  /** Called before the first chunk goes to the store; false: nothing of this writer does. */
  readonly begin?: () => Promise<boolean>;
  /** Has a call of the store repeated, for longer than the call itself does. Default: its failure is the writer's. */
  readonly persist?: <T>(call: () => Promise<T>) => Promise<T>;
}

export class StreamWriter {
  readonly address: StreamAddress;
  readonly #options: StreamWriterOptions;
  #waiting: Uint8Array[] = [];
  #bytes = 0;
  /** How many chunks of this writer are in. */
  #written = 0;
  #begun: Promise<boolean> | null = null;
  #done = false;
  #sending: Promise<void> | null = null;
  #failure: { readonly error: unknown } | null = null;

  constructor(options: StreamWriterOptions) {
    this.address = options.address;
    this.#options = options;
  }

  /** The stream has all of this writer already: what it still writes goes nowhere. */
  get done(): boolean {
    return this.#done;
  }

  /** Nothing waits for the store. */
  get idle(): boolean {
    return this.#sending === null;
  }

  /**
   * Adds a chunk. Resolves when there is room for another one.
   *
   * @throws what an earlier chunk has met
   */
  async write(chunk: Uint8Array): Promise<void> {
    this.#check();
    this.#waiting.push(chunk);
    this.#bytes += sizeInBatch(chunk);
    this.#sending ??= this.#send();
    while (this.#waiting.length >= ROOM.chunks || this.#bytes >= ROOM.bytes) {
      await this.#sent();
      this.#check();
    }
  }

  /** Resolves when all chunks are in the store. */
  async flushed(): Promise<void> {
    await this.#sent();
    this.#check();
  }

  async #sent(): Promise<void> {
    await this.#sending;
  }

  #check(): void {
    if (this.#failure !== null) throw this.#failure.error;
  }

  async #send(): Promise<void> {
    const { streams, address, writer, begin, persist = (call) => call() } = this.#options;
    try {
      this.#begun ??= begin === undefined ? Promise.resolve(true) : persist(begin);
      this.#done = !(await this.#begun);
      while (this.#waiting.length > 0) {
        const chunks = this.#take(streams.largestAppend);
        if (this.#done) continue;
        const part = { ...address, writer, n: this.#written, chunks };
        const { outcome } = await persist(() => streams.append(part));
        if (outcome === "closed") throw closedError(address);
        if (outcome === "no_such_run") throw new WorkflowRunNotFoundError(address.runId);
        if (outcome === "gap") throw gapError(address);
        this.#written += chunks.length;
      }
    } catch (error) {
      this.#failure = { error };
      this.#waiting = [];
      this.#bytes = 0;
    } finally {
      this.#sending = null;
    }
  }

  #take(largest: number): readonly Uint8Array[] {
    let [count, bytes] = [0, 0];
    for (const chunk of this.#waiting) {
      const size = sizeInBatch(chunk);
      if (count > 0 && (count === MOST || bytes + size > largest)) break;
      count++;
      bytes += size;
    }
    const chunks = this.#waiting.slice(0, count);
    this.#waiting = this.#waiting.slice(count);
    this.#bytes -= bytes;
    return chunks;
  }
}

function closedError({ runId, name }: StreamAddress): WorkflowRuntimeError {
  return new WorkflowRuntimeError(
    `The stream "${name}" of run ${runId} takes nothing more: it was closed, or the run has ended. Close a stream after the ` +
      "last of its writers, and let the workflow wait for the steps that write.",
  );
}

function gapError({ runId, name }: StreamAddress): WorkflowRuntimeError {
  return new WorkflowRuntimeError(
    `The store no longer has the beginning of what was written to the stream "${name}" of run ${runId}: the writer was silent ` +
      "for more than a day. Write it in another step.",
  );
}
