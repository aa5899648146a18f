import { type Clock, delay } from "./clock.ts";
import { WorldError } from "./errors/index.ts";

/**
 * Collects the calls of one turn of the event loop into requests of the World, and repeats each while its answer is lost.
 * Requests go one after the other, so that what was passed in one turn arrives in that order.
 */

const PAUSES = [20, 100, 500, 2000] as const;

/** The most calls of one request. */
const MOST = 1_000;

export interface BatcherOptions<Call, Result> {
  readonly clock: Clock;
  /** One request; sent again it is answered as the first would have been: that is the World's law. */
  readonly send: (batch: readonly Call[]) => Promise<readonly Result[]>;
  /** The bytes of a call. */
  readonly size: (call: Call) => number;
  /** The most bytes of one request; a call that has more goes alone. Asked at each request, since an open World knows it. */
  readonly largest: () => number;
  /** Called once a turn: gives what makes of each answer of that turn, in order, the one that its caller gets. */
  readonly answers?: () => (call: Call, result: Result) => Result;
  /** What its caller must know of a call when no answer has come, and what to do: whole sentences. */
  readonly unanswered: (call: Call) => string;
}

interface Entry<Call, Result> {
  readonly call: Call;
  readonly resolve: (result: Result) => void;
  readonly reject: (error: unknown) => void;
}

/** A function that takes single calls and sends them in batches. */
export function batcher<Call, Result>(
  options: BatcherOptions<Call, Result>,
): (call: Call) => Promise<Result> {
  type Batch = readonly Entry<Call, Result>[];
  let waiting: Entry<Call, Result>[] = [];

  const flush = async (): Promise<void> => {
    const entries = waiting;
    waiting = [];
    const answerOf = options.answers?.() ?? ((_: Call, result: Result) => result);
    for (const batch of cut(entries, options.largest(), ({ call }) => options.size(call)))
      await settle(batch, answerOf);
  };

  const settle = async (batch: Batch, answerOf: (call: Call, result: Result) => Result): Promise<void> => {
    const calls = batch.map(({ call }) => call);
    const answer = await sendUntilAnswered(options, calls);
    if ("results" in answer) {
      for (const [index, { call, resolve }] of batch.entries()) {
        resolve(answerOf(call, answer.results[index] as Result));
      }
    } else if (answer.refused && batch.length > 1) {
      // One of them is at fault: it is looked for, so that it does not spoil the others.
      const half = Math.ceil(batch.length / 2);
      await settle(batch.slice(0, half), answerOf);
      await settle(batch.slice(half), answerOf);
    } else {
      for (const { call, reject } of batch) {
        reject(answer.refused ? answer.error : unanswered(answer.error, options.unanswered(call)));
      }
    }
  };

  return (call) =>
    new Promise((resolve, reject) => {
      waiting.push({ call, resolve, reject });
      if (waiting.length === 1) options.clock.turn(() => void flush());
    });
}

type Answer<Result> =
  | { readonly results: readonly Result[] }
  | { readonly refused: boolean; readonly error: unknown };

async function sendUntilAnswered<Call, Result>(
  { clock, send }: BatcherOptions<Call, Result>,
  calls: readonly Call[],
): Promise<Answer<Result>> {
  for (let tries = 0; ; tries++) {
    try {
      return { results: await send(calls) };
    } catch (error) {
      if (WorldError.is(error) && !error.retryable) return { refused: true, error };
      const pause = PAUSES[tries];
      if (pause === undefined) return { refused: false, error };
      await delay(clock, pause);
    }
  }
}

function unanswered(error: unknown, advice: string): WorldError {
  const reason = error instanceof Error ? error.message : String(error);
  return new WorldError(`${reason} It was tried ${PAUSES.length + 1} times. ${advice}`, { cause: error });
}

/** Pieces in order, each with at most `MOST` entries and `largest` bytes, or a single entry. */
function* cut<Item>(
  items: readonly Item[],
  largest: number,
  size: (item: Item) => number,
): Generator<readonly Item[]> {
  let from = 0;
  let bytes = 0;
  for (const [index, item] of items.entries()) {
    const own = size(item);
    if (index > from && (index - from === MOST || bytes + own > largest)) {
      yield items.slice(from, index);
      from = index;
      bytes = 0;
    }
    bytes += own;
  }
  if (from < items.length) yield items.slice(from);
}
