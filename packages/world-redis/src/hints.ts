/**
 * Hints over pub/sub: one channel per store, one connection for listening, opened when somebody subscribes. While that
 * connection is down hints are lost; when it is back, one says that something may have changed.
 */
import type { Hint } from "@perdure/core/world";
import { Redis } from "ioredis";
import type { Client } from "./client.ts";

type Listener = (hint: Hint) => void;

export class Hints {
  readonly #client: Client;
  readonly #channel: string;
  readonly #listeners = new Set<Listener>();
  #subscriber: Client | undefined;

  constructor(client: Client, channel: string) {
    this.#client = client;
    this.#channel = channel;
  }

  subscribe(listener: Listener): () => void {
    // A listener of its own, so that one function may be subscribed twice.
    const own: Listener = (hint) => listener(hint);
    this.#listeners.add(own);
    this.#subscriber ??= this.#listen();
    return () => {
      this.#listeners.delete(own);
    };
  }

  /** Tells every World on this store. Never waits, never fails. */
  emit(hints: Iterable<Hint>): void {
    const told = [...hints];
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
      for (const hint of JSON.parse(message) as readonly Hint[]) this.#tell(hint);
    });
    let seen = false;
    subscriber.on("ready", () => {
      if (seen) this.#tell({ type: "changed" });
      seen = true;
      unref(subscriber);
    });
    subscriber.subscribe(this.#channel).catch(() => {});
    return subscriber;
  }

  // In a microtask of its own: what a listener does or throws must not reach the client.
  #tell(hint: Hint): void {
    for (const listener of this.#listeners) {
      queueMicrotask(() => {
        if (this.#listeners.has(listener)) listener(hint);
      });
    }
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
