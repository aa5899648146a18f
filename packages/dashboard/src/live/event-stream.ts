import { systemClock } from "@perdure/core/world";
import { safe } from "../answers.ts";

/** Answers of server-sent events. */

/** Writes events to one client. */
export interface EventSink {
  /** `text` is the data, on one line. */
  send(event: string, text: string, id?: string): void;
  /** Ends the answer. */
  end(): void;
  /** Resolves when the client has taken what was sent. */
  readonly ready: Promise<void>;
}

/** A comment so often, in milliseconds, tells proxies that the connection is in use. */
const KEEP_ALIVE = 15_000;
/** So many bytes may wait before {@link EventSink.ready} waits as well. */
const ENOUGH = 64 * 1024;
/** A client that has so many bytes waiting does not read: it is cut off, and connects again. */
const MOST = 32 * 1024 * 1024;

/** An answer of events. `begin` gives what is called when the client is gone. */
export function eventStream(begin: (sink: EventSink) => () => void): Response {
  let open: OpenStream | undefined;
  const body = new ReadableStream<Uint8Array>(
    {
      start(controller) {
        open = new OpenStream(controller);
        open.begin(begin);
      },
      pull: () => open?.pulled(),
      cancel: () => open?.close(),
    },
    { highWaterMark: ENOUGH, size: (chunk) => chunk?.byteLength ?? 0 },
  );
  return safe(body, 200, { "content-type": "text/event-stream", "x-accel-buffering": "no" });
}

class OpenStream implements EventSink {
  readonly #controller: ReadableStreamDefaultController<Uint8Array>;
  readonly #encoder = new TextEncoder();
  #leave: () => void = () => {};
  #cancelTimer: () => void = () => {};
  #closed = false;
  #onPulled: () => void = () => {};
  ready: Promise<void> = Promise.resolve();

  constructor(controller: ReadableStreamDefaultController<Uint8Array>) {
    this.#controller = controller;
  }

  begin(begin: (sink: EventSink) => () => void): void {
    this.#write("retry: 1000\n\n");
    this.#keepAlive();
    const leave = begin(this);
    if (this.#closed) leave();
    else this.#leave = leave;
  }

  send(event: string, text: string, id?: string): void {
    this.#write(`${id === undefined ? "" : `id: ${id}\n`}event: ${event}\ndata: ${text}\n\n`);
  }

  end(): void {
    if (this.#closed) return;
    this.close();
    this.#controller.close();
  }

  /** Nothing is written any more. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTimer();
    this.#onPulled();
    this.#leave();
  }

  pulled(): void {
    this.#onPulled();
  }

  #write(text: string): void {
    if (this.#closed) return;
    this.#controller.enqueue(this.#encoder.encode(text));
    const room = this.#controller.desiredSize ?? 0;
    if (room < -MOST) {
      this.close();
      this.#controller.error(new Error("The client does not read."));
    } else if (room <= 0) {
      this.ready = new Promise((resolve) => {
        this.#onPulled = resolve;
      });
    }
  }

  #keepAlive(): void {
    this.#cancelTimer = systemClock.setTimer(systemClock.now() + KEEP_ALIVE, () => {
      this.#write(":\n\n");
      if (!this.#closed) this.#keepAlive();
    });
  }
}
