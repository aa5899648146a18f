import type { Clock } from "../../clock.ts";
import type { StepContext } from "../../context.ts";
import { FatalError } from "../../errors/index.ts";
import { type StreamOutlet, storable } from "../../serialization/index.ts";
import type { AttemptAccess, Feed, StreamSink } from "../../streams/access.ts";
import { type AttemptWriter, laterAttemptsStream, writerOfAttempt } from "../../streams/names.ts";
import { PassedStreams } from "../../streams/passed-streams.ts";
import { type RunStreams, streamsOf } from "../../streams/run-streams.ts";
import { StreamWriter } from "../../streams/stream-writer.ts";
import type { StreamAddress, World } from "../../world/index.ts";
import type { AttemptResult } from "./attempt.ts";
import type { Persist } from "./persist.ts";
import { resultOf } from "./stored-result.ts";

/** What streams ask of the attempt that uses them. */
export interface StreamingAttempt extends Pick<StepContext, "duringRun"> {
  readonly persist: Persist;
}

/**
 * What one attempt of a step writes to streams. The attempt has ended when all of it is in the store. A stream that the body closes is
 * closed when the attempt has succeeded: until then another attempt may have to write to it.
 */
export class AttemptStreams implements AttemptAccess {
  readonly #streams: RunStreams;
  readonly #clock: Clock;
  readonly #writer: AttemptWriter;
  readonly #attempt: StreamingAttempt;
  /** By stream; most attempts write to none. */
  #writers: Map<string, StreamWriter> | null = null;
  readonly #toClose: StreamWriter[] = [];
  readonly #feeds: Promise<void>[] = [];
  /** Ends what is fed from streams of the body. */
  #controller: AbortController | null = null;

  constructor(
    host: { readonly world: World; readonly clock: Clock },
    writer: AttemptWriter,
    attempt: StreamingAttempt,
  ) {
    this.#attempt = attempt;
    this.#streams = streamsOf(host.world, host.clock);
    this.#clock = host.clock;
    this.#writer = writer;
  }

  async open(): Promise<RunStreams> {
    return this.#streams;
  }

  awaited<T>(work: () => Promise<T>, runId?: string): Promise<T> {
    return runId === undefined ? work() : this.#attempt.duringRun(runId, work());
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

  /** What the body returned, for the journal: at once, or when all that it wrote is in the store, and closed where it is to be. */
  succeeded(result: unknown, largest: number): AttemptResult | Promise<AttemptResult> {
    const { runId } = this.#writer;
    const outlet = new LateOutlet(
      () => new PassedStreams(writerOfAttempt(this.#writer, runId), { runId, writables: false }),
    );
    const stored = resultOf(result, largest, outlet);
    if (stored instanceof Promise || outlet.passed !== null || this.written)
      return this.#stored(stored, outlet);
    return stored;
  }

  /** The body has written something, or passed it. */
  get written(): boolean {
    return this.#feeds.length > 0 || this.#writers !== null;
  }

  async #stored(result: AttemptResult | Promise<AttemptResult>, outlet: LateOutlet): Promise<AttemptResult> {
    const stored = await result;
    if (outlet.passed !== null) this.feed(outlet.passed, this.#writer.runId);
    if (this.#feeds.length > 0) await Promise.all(this.#feeds);
    await this.#flushed();
    for (const { address } of this.#toClose) await this.#attempt.persist(() => this.#streams.close(address));
    return stored;
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
      persist: this.#attempt.persist,
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

/** Takes the streams of a value that hardly ever has one. */
class LateOutlet implements StreamOutlet {
  readonly #make: () => PassedStreams;
  /** `null`: it has none. */
  passed: PassedStreams | null = null;

  constructor(make: () => PassedStreams) {
    this.#make = make;
  }

  adopt(stream: ReadableStream | WritableStream): object {
    this.passed ??= this.#make();
    return this.passed.adopt(stream);
  }
}

/** Another attempt would meet the same. */
function fatal(error: unknown): never {
  const { message } = error as Error;
  throw (error as { retryable?: boolean }).retryable === true
    ? error
    : new FatalError(message, { cause: error });
}
