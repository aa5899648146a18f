import type { Clock } from "../../clock.ts";
import { FatalError } from "../../errors/index.ts";
import { type StreamOutlet, storable } from "../../serialization/index.ts";
import type { AttemptAccess, Feed, StreamSink } from "../../streams/access.ts";
import { type AttemptWriter, laterAttemptsStream, writerOfAttempt } from "../../streams/names.ts";
import { PassedStreams } from "../../streams/passed-streams.ts";
import { type RunStreams, streamsOf } from "../../streams/run-streams.ts";
import { StreamWriter } from "../../streams/stream-writer.ts";
import type { StreamAddress, World } from "../../world/index.ts";
import { type PersistingAttempt, persist } from "./persist.ts";

/** So long a body waits for a chunk before it lends its slot, in milliseconds. */
const MOMENT = 100;

/** What streams ask of the attempt that uses them. */
export interface StreamingAttempt extends PersistingAttempt {
  readonly host: { readonly world: World; readonly clock: Clock };
  /** The body waits for what a run does. */
  duringRun<T>(runId: string, work: Promise<T>): Promise<T>;
}

/**
 * What one attempt of a step writes to streams. The attempt has ended when all of it is in the store. A stream that the body closes is
 * closed when the attempt has succeeded: until then another attempt may have to write to it.
 */
export class AttemptStreams implements AttemptAccess, StreamOutlet {
  readonly #attempt: StreamingAttempt;
  readonly #streams: RunStreams;
  readonly #clock: Clock;
  readonly #writer: AttemptWriter;
  /** By stream; most attempts write to none. */
  #writers: Map<string, StreamWriter> | null = null;
  readonly #toClose: StreamWriter[] = [];
  /** Those of what the body returned. */
  #passed: PassedStreams | null = null;
  readonly #feeds: Promise<void>[] = [];
  /** Ends what is fed from streams of the body. */
  #controller: AbortController | null = null;

  constructor(attempt: StreamingAttempt, writer: AttemptWriter) {
    const { world, clock } = attempt.host;
    this.#attempt = attempt;
    this.#streams = streamsOf(world, clock);
    this.#clock = clock;
    this.#writer = writer;
  }

  async open(): Promise<RunStreams> {
    return this.#streams;
  }

  async awaited<T>(work: () => Promise<T>, runId?: string): Promise<T> {
    const result = work();
    // Whoever reads what is there keeps the slot.
    if (runId === undefined || (await this.#isSoon(result))) return await result;
    return await this.#attempt.duringRun(runId, result);
  }

  /** Whether it settles within a moment. */
  async #isSoon(result: Promise<unknown>): Promise<boolean> {
    let cancel = (): void => {};
    const late = new Promise<false>((resolve) => {
      cancel = this.#clock.setTimer(this.#clock.now() + MOMENT, () => resolve(false));
    });
    const settled = (): true => true;
    return await Promise.race([result.then(settled, settled), late]).finally(cancel);
  }

  sink(address: StreamAddress): StreamSink {
    const writer = this.#writerOf(address);
    return {
      write: async (chunk) => {
        storable(chunk, "chunk", this.#streams.largestChunk);
        await writer.write(chunk).catch(fatal);
      },
      close: async () => {
        await writer.flushed().catch(fatal);
        if (!this.#toClose.includes(writer)) this.#toClose.push(writer);
      },
    };
  }

  /** Puts streams that the body passed into those of a run. */
  feed(passed: Feed, runId: string): void {
    this.#controller ??= new AbortController();
    const feed = passed.feed(
      this.#streams,
      runId,
      (address) => this.#newWriter(address),
      this.#controller.signal,
    );
    feed.catch(() => {});
    this.#feeds.push(feed);
  }

  /** A stream in what the body returned; it is fed when the body has {@link succeeded}. */
  adopt(stream: ReadableStream | WritableStream): object {
    this.#passed ??= new PassedStreams(writerOfAttempt(this.#writer, this.#writer.runId), {
      runId: this.#writer.runId,
      writables: false,
    });
    return this.#passed.adopt(stream);
  }

  /** The attempt succeeds when all that it wrote is in the store, and closed where it is to be. */
  async succeeded(): Promise<void> {
    if (this.#passed !== null) this.feed(this.#passed, this.#writer.runId);
    if (this.#feeds.length > 0) await Promise.all(this.#feeds);
    await this.#flushed();
    for (const { address } of this.#toClose) await persist(this.#attempt, () => this.#streams.close(address));
  }

  /** Resolves when what was written is in the store, as far as that is possible. */
  async failed(): Promise<void> {
    await this.#flushed().catch(() => {});
  }

  /** The attempt is over, or is to end soon: nothing more is fed. */
  interrupt(reason: unknown): void {
    this.#controller?.abort(reason);
  }

  async #flushed(): Promise<void> {
    const writers = this.#writers;
    if (writers === null) return;
    do {
      // A `WritableStream` hands its chunks on one by one, in microtasks.
      await new Promise<void>((resolve) => this.#clock.turn(resolve));
      await Promise.all([...writers.values()].map((writer) => writer.flushed().catch(fatal)));
    } while ([...writers.values()].some(({ idle }) => !idle));
  }

  #writerOf(address: StreamAddress): StreamWriter {
    const key = `${address.runId}/${address.name}`;
    this.#writers ??= new Map();
    let writer = this.#writers.get(key);
    if (writer === undefined) {
      writer = this.#newWriter(address);
      this.#writers.set(key, writer);
    }
    return writer;
  }

  #newWriter(address: StreamAddress): StreamWriter {
    return new StreamWriter({
      streams: this.#streams,
      address,
      writer: writerOfAttempt(this.#writer, address.runId),
      persist: (call) => persist(this.#attempt, call),
      ...(this.#writer.attempt > 1 && { begin: () => this.#beginAgain(address) }),
    });
  }

  /**
   * An earlier attempt may have written: readers are told that what it wrote does not count. False: the stream is closed. If an earlier
   * attempt has done it, that one wrote all, and only the news of its success was lost.
   */
  async #beginAgain({ runId, name }: StreamAddress): Promise<boolean> {
    const part = await this.#streams.world.readChunks({ runId, name, from: 0, limit: 0, byteLimit: 1 });
    if (part?.closed === true) return false;
    const writer = writerOfAttempt(this.#writer, runId);
    await this.#streams.append({
      runId,
      name: laterAttemptsStream(name),
      writer,
      n: 0,
      chunks: [new Uint8Array()],
    });
    return true;
  }
}

/** Another attempt would meet the same. */
function fatal(error: unknown): never {
  const { message } = error as Error;
  throw (error as { retryable?: boolean }).retryable === true
    ? error
    : new FatalError(message, { cause: error });
}
