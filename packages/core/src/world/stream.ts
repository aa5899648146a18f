/**
 * Streams: what a run writes bit by bit for readers who follow it, such as the tokens of a model's answer. An optional part
 * of the contract: a World that has it says so with `capabilities.streams`.
 */

/** Chunks of one writer on their way into a stream. */
export interface AppendChunks {
  readonly runId: string;
  /** The stream's name, unique within its run. The first append makes the stream. */
  readonly name: string;
  /**
   * Who writes, such as one attempt of a step; chosen by the caller. A stream may have any number of writers, at the same time
   * as well.
   */
  readonly writer: string;
  /** How many chunks this writer has put into the stream before these: its chunks are numbered 0, 1, 2 … */
  readonly n: number;
  /** At least one. Empty chunks are chunks. */
  readonly chunks: readonly Uint8Array[];
}

/** What became of one {@link AppendChunks}. */
export type AppendResult =
  /** All of its chunks are in, put there now or by an earlier sending. */
  | { readonly outcome: "appended" }
  /** The writer skipped chunks: only `next` of its chunks are in, and the first of these is not one of them. Nothing was written. */
  | { readonly outcome: "gap"; readonly next: number }
  /** The stream was closed, or its run has ended, before all of these were in. */
  | { readonly outcome: "closed" }
  | { readonly outcome: "no_such_run" };

/** Names one stream. */
export interface StreamAddress {
  readonly runId: string;
  readonly name: string;
}

/** Asks for a stretch of a stream. */
export interface ReadChunks extends StreamAddress {
  /** The index of the first chunk that is wanted, from 0. */
  readonly from: number;
  /** At most so many chunks. 0 asks for `length` and `closed` only, which is cheap however long the stream is. */
  readonly limit: number;
  /** The answer ends with the chunk that brings it to so many bytes; it has one chunk at least, if there is one. */
  readonly byteLimit: number;
}

/** A chunk in a stream. */
export interface Chunk {
  /** Its place in the stream over all writers: 0, 1, 2 … without gaps. */
  readonly index: number;
  readonly writer: string;
  readonly data: Uint8Array;
}

/** A stretch of a stream, and how far the stream has come. */
export interface StreamPart {
  /** In order, the first with the index that was asked for. */
  readonly chunks: readonly Chunk[];
  /** How many chunks the stream has; its last one has the index `length - 1`. */
  readonly length: number;
  /** Nothing is added any more: `length` is final. */
  readonly closed: boolean;
}

/** Asks for the streams of a run. */
export interface ListStreamsQuery {
  readonly runId: string;
  readonly limit: number;
  /** The `cursor` of the page before. */
  readonly cursor?: string;
}

/** What `listStreams` found, and where to go on. */
export interface StreamPage {
  /** The names, in an order of the store's. */
  readonly names: readonly string[];
  /** Pass it on for the next page; `null` after the last. */
  readonly cursor: string | null;
}

/**
 * The verbs of streams. They need no lease: whoever knows the run's id writes and reads.
 *
 * A stream ends when it is closed or when its run has ended, whichever comes first, and ends for good: once any caller was
 * told `closed`, neither its length nor its chunks ever change. A World may close a run's streams with the commit that ends
 * the run, or find out from the run's status; in the second case it must make sure, before it says `closed`, that no append
 * which saw the run before its end can still get in.
 *
 * Streams are deleted with their run.
 */
export interface Streams {
  /**
   * Adds chunks; durable before it returns, which is the writer's back-pressure. Each chunk gets the next index of its
   * stream, in one atomic act with the check of what follows. The chunks of a writer keep their order; those of others MAY
   * come in between.
   *
   * - Each `(writer, n)` is in a stream once, however often and by however many it is sent, also in batches that are cut
   *   differently: chunks that are in are skipped.
   * - Checks, in this order: the run is stored (else `no_such_run`); all of the chunks are in already (`appended`, also after
   *   the end); the stream and its run have not ended (else `closed`); `n` leaves no gap (else `gap`).
   * - Of an append whose answer was lost, none, all, or the first few of the chunks are in. It is sent again unchanged.
   * - A World MAY forget a writer a day after its last chunk.
   */
  appendChunks(batch: readonly AppendChunks[]): Promise<readonly AppendResult[]>;

  /**
   * Reads a stretch. `length` and `closed` are of one moment, and no chunk is beyond `length`: a reader that has `length`
   * chunks of a closed stream has all. The answer MAY end before either limit. A stream that nobody has written to has length 0; it is closed if its run has ended.
   * `null`: the run is not stored.
   */
  readChunks(query: ReadChunks): Promise<StreamPart | null>;

  /** Ends a stream, also one that nobody has written to. Repeated, or after the run's end, it changes nothing. False: the run is not stored. */
  closeStream(stream: StreamAddress): Promise<boolean>;

  /** Pages through the names of a run's streams. Those made meanwhile neither repeat nor hide others. Unknown run: none. */
  listStreams(query: ListStreamsQuery): Promise<StreamPage>;
}
