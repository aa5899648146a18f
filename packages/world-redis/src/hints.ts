/**
 * Hints over pub/sub: one channel per store, one connection for listening, opened when somebody subscribes. While that
 * connection is down hints are lost; when it is back, one says that something may have changed.
 */
import { type Hint, HintListeners } from "@perdure/core/world";
import { Redis } from "ioredis";
import type { Client } from "./client.ts";

export class Hints {
  readonly #client: Client;
  readonly #channel: string;
  readonly #listeners = new HintListeners();
  #subscriber: Client | undefined;

  constructor(client: Client, channel: string) {
    this.#client = client;
    this.#channel = channel;
  }

  subscribe(listener: (hint: Hint) => void): () => void {
    this.#subscriber ??= this.#listen();
    return this.#listeners.add(listener);
  }

  /** Tells every World on this store. Never waits, never fails. */
  emit(hints: () => Iterable<Hint>): void {
    const told = [...hints()];
    if (told.length === 0) return;
    this.#client.publish(this.#channel, JSON.stringify(told)).catch(() => {});
  }

  /** Ends every subscription. */
  close(): void {
    this.#listeners.clear();
    this.#subscriber?.disconnect();
    this.#subscriber = undefined;
  }

  #listen(): Client {
    const subscriber = subscriberOf(this.#client);
    subscriber.on("error", () => {});
    subscriber.on("message", (_: string, message: string) => {
      for (const hint of JSON.parse(message) as readonly Hint[]) this.#listeners.tell(hint);
    });
    let seen = false;
    subscriber.on("ready", () => {
      if (seen) this.#listeners.tell({ type: "changed" });
      seen = true;
      unref(subscriber);
    });
    subscriber.subscribe(this.#channel).catch(() => {});
    return subscriber;
  }
}

// A connection that listens can do nothing else. It is given all the time it needs: nobody waits for it.
function subscriberOf(client: Client): Client {
  if (client instanceof Redis) {
    return client.duplicate({ lazyConnect: false, maxRetriesPerRequest: null, autoResubscribe: true });
  }
  return client.duplicate([], { lazyConnect: false });
}

// Listening alone does not keep the process alive.
function unref(client: Client): void {
  if (client instanceof Redis) client.stream?.unref?.();
}
