import { type Clock, delay } from "../clock.ts";
import { WorldError } from "../errors/index.ts";

/** Collects the calls of one turn of the event loop into one request of the World, and repeats it while its answer is lost. */

const PAUSES = [20, 100, 500, 2000] as const;

/** A function that takes single requests and sends them in batches. */
export function batcher<Request, Result>(
  clock: Clock,
  send: (batch: readonly Request[]) => Promise<readonly Result[]>,
): (request: Request) => Promise<Result> {
  type Entry = {
    readonly request: Request;
    readonly resolve: (result: Result) => void;
    readonly reject: (error: unknown) => void;
  };
  let waiting: Entry[] = [];

  const flush = async (): Promise<void> => {
    const batch = waiting;
    waiting = [];
    await settle(batch);
  };

  const settle = async (batch: readonly Entry[]): Promise<void> => {
    try {
      const results = await sendUntilAnswered(
        clock,
        send,
        batch.map(({ request }) => request),
      );
      batch.forEach(({ resolve }, index) => {
        resolve(results[index] as Result);
      });
    } catch (error) {
      if (batch.length > 1 && WorldError.is(error) && !error.retryable) {
        // One of them is at fault: send each alone, so that it does not spoil the others.
        await Promise.all(batch.map((entry) => settle([entry])));
        return;
      }
      for (const { reject } of batch) reject(error);
    }
  };

  return (request) =>
    new Promise((resolve, reject) => {
      waiting.push({ request, resolve, reject });
      if (waiting.length === 1) clock.turn(() => void flush());
    });
}

/** The same request again is answered as the first would have been: that is the World's law. */
async function sendUntilAnswered<Request, Result>(
  clock: Clock,
  send: (batch: readonly Request[]) => Promise<readonly Result[]>,
  batch: readonly Request[],
): Promise<readonly Result[]> {
  for (const pause of PAUSES) {
    try {
      return await send(batch);
    } catch (error) {
      if (WorldError.is(error) && !error.retryable) throw error;
      await delay(clock, pause);
    }
  }
  return await send(batch);
}
