import { systemClock } from "@perdure/core/world";
import { safe } from "../answers.ts";

/** Answers of server-sent events. */

/** Writes events to one client. */
export interface EventSink {
  send(event: string, text: string, id?: string): void;
  /** Ends the answer. */
  end(): void;
  /** Resolves when the client can take more. */
  readonly ready: Promise<void>;
}

/** A comment so often, in milliseconds, tells proxies that the connection is in use. */
const KEEP_ALIVE = 15_000;
/** A client that has so many bytes waiting does not read: it is cut off, and connects again. */
const MOST_WAITING = 32 * 1024 * 1024;

/** An answer of events. `begin` is called when the client reads, and gives what is called when it is gone. */
export function eventStream(begin: (sink: EventSink) => () => void): Response {
  const encoder = new TextEncoder();
  let stop = (): void => {};
  let pulled = (): void => {};
  let ended = false;
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        let cancelTimer = (): void => {};
        const finish = (): void => {
          ended = true;
          cancelTimer();
          pulled();
        };
        const write = (text: string): void => {
          if (ended) return;
          controller.enqueue(encoder.encode(text));
          if ((controller.desiredSize ?? 0) < -MOST_WAITING) {
            controller.error(new Error("The client does not read."));
            stop();
          }
        };
        const keepAlive = (): void => {
          cancelTimer = systemClock.setTimer(systemClock.now() + KEEP_ALIVE, () => {
            write(":\n\n");
            if (!ended) keepAlive();
          });
        };
        write("retry: 1000\n\n");
        keepAlive();
        let ready = Promise.resolve();
        const leave = begin({
          send(event, text, id) {
            write(`${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${text}\n\n`);
            if ((controller.desiredSize ?? 1) <= 0) {
              ready = new Promise((resolve) => {
                pulled = resolve;
              });
            }
          },
          end() {
            if (ended) return;
            finish();
            controller.close();
          },
          get ready() {
            return ready;
          },
        });
        stop = () => {
          finish();
          leave();
        };
      },
      pull() {
        pulled();
      },
      cancel() {
        stop();
      },
    },
    { highWaterMark: 64 * 1024, size: (chunk) => chunk?.byteLength ?? 0 },
  );
  return safe(body, 200, { "content-type": "text/event-stream", "x-accel-buffering": "no" });
}
