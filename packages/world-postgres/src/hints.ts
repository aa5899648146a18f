/**
 * Hints: what this instance wrote, to its own subscribers at once and to other instances through the database.
 */
import { randomUUID } from "node:crypto";
import type { Logger } from "@perdure/core/runtime";
import { type Hint, HintListeners, parseHint } from "@perdure/core/world";
import type { Client } from "pg";
import { gathering, listen } from "./watch.ts";

// Postgres takes less than 8,000 bytes.
const LARGEST_PAYLOAD = 7_900;

/** A notification from a transaction of the user's, which is of no instance. */
export const OUTBOX_PAYLOAD: string = `\n${JSON.stringify({ type: "outbox" } satisfies Hint)}`;

/** How hints reach other instances. */
export interface HintChannel {
  /** Name of the channel: equal for instances on the same store. */
  readonly channel: string;
  readonly connect: () => Client;
  readonly notify: (channel: string, payload: string) => Promise<void>;
  readonly logger: Logger;
  /** How long listening may be silent before it is asked for a sign of life, in milliseconds. */
  readonly callTimeout: number;
}

/** The hints of one instance. */
export class Hints {
  readonly #channel: HintChannel | null;
  readonly #id = randomUUID();
  readonly #listeners = new HintListeners();
  readonly #tellOthers: () => void;
  #waiting: Hint[] = [];
  #stopListening: (() => void) | undefined;
  #closed = false;

  /** @param channel `null` where other instances cannot be reached */
  constructor(channel: HintChannel | null) {
    this.#channel = channel;
    this.#tellOthers = gathering(() => this.#send());
  }

  subscribe(listener: (hint: Hint) => void): () => void {
    const remove = this.#listeners.add(listener);
    this.#start();
    return () => {
      remove();
      if (this.#listeners.isEmpty) this.#stop();
    };
  }

  emit(hints: () => Iterable<Hint>): void {
    const before = this.#waiting.length;
    for (const hint of hints()) {
      this.#listeners.tell(hint);
      if (this.#channel !== null) this.#waiting.push(hint);
    }
    if (this.#waiting.length > before) this.#tellOthers();
  }

  /** Ends every subscription. */
  close(): void {
    this.#closed = true;
    this.#listeners.clear();
    this.#stop();
  }

  #start(): void {
    if (this.#channel === null) return;
    const { channel, connect, logger, callTimeout } = this.#channel;
    this.#stopListening ??= listen({
      channel,
      connect,
      logger,
      heartbeat: callTimeout,
      onPayload: (payload) => this.#hear(payload),
      onGap: () => this.#listeners.tell({ type: "changed" }),
    });
  }

  #stop(): void {
    this.#stopListening?.();
    this.#stopListening = undefined;
  }

  async #send(): Promise<void> {
    const waiting = this.#waiting;
    this.#waiting = [];
    if (this.#channel === null || this.#closed || waiting.length === 0) return;
    const { channel, notify, logger } = this.#channel;
    const payload = this.#payload(withoutRepetition(waiting));
    const short = this.#payload([{ type: "changed" }]);
    try {
      await notify(channel, Buffer.byteLength(payload) > LARGEST_PAYLOAD ? short : payload);
    } catch (error) {
      if (!this.#closed) logger.debug("a notification was not sent", { error });
    }
  }

  /** A notification: the instance that it comes from, then a hint on each line. */
  #payload(hints: readonly Hint[]): string {
    return [this.#id, ...hints.map((hint) => JSON.stringify(hint))].join("\n");
  }

  /** Whoever may connect to the database may notify, so this may be anything. */
  #hear(text: string): void {
    const [from, ...lines] = text.split("\n");
    if (from === this.#id) return;
    for (const line of lines) {
      const hint = parseHint(line);
      if (hint !== null) this.#listeners.tell(hint);
    }
  }
}

function withoutRepetition(hints: readonly Hint[]): Hint[] {
  const seen = new Set<string>();
  return hints.filter((hint) => {
    const key = JSON.stringify(hint);
    return !seen.has(key) && seen.add(key);
  });
}
