/**
 * Hints over pub/sub: one channel per store, one connection for listening, opened when somebody subscribes. While that
 * connection is down hints are lost; when it is back, one says that something may have changed.
 *
 * A connection that only listens does not notice that nothing comes any more, so this one sends itself a message now and
 * then. Where that does not arrive, a new connection takes its place.
 */
import { randomUUID } from "node:crypto";
import { type Hint, HintListeners, parseHint } from "@perdure/core/world";
import { Redis } from "ioredis";
import type { Caller } from "./caller.ts";
import type { Client } from "./client.ts";
import { every } from "./timers.ts";

export interface HintsOptions {
  readonly client: Client;
  readonly caller: Caller;
  readonly channel: string;
  /** How often the listening connection is tried, in milliseconds. */
  readonly interval: number;
}

export class Hints {
  readonly #options: HintsOptions;
  readonly #echoChannel: string;
  readonly #listeners = new HintListeners();
  #subscriber: Client | undefined;
  #stopEchoes: (() => void) | undefined;
  #heard = true;

  constructor(options: HintsOptions) {
    this.#options = options;
    this.#echoChannel = `${options.channel}:${randomUUID()}`;
  }

  subscribe(listener: (hint: Hint) => void): () => void {
    this.#subscriber ??= this.#listen(false);
    this.#stopEchoes ??= every(this.#options.interval, () => this.#echo());
    return this.#listeners.add(listener);
  }

  /** Tells every World on this store. Never waits, never fails. */
  emit(hints: () => Iterable<Hint>): void {
    const told = [...hints()];
    if (told.length > 0)
      this.#publish(this.#options.channel, told.map((hint) => JSON.stringify(hint)).join("\n"));
  }

  /** Ends every subscription. */
  close(): void {
    this.#listeners.clear();
    this.#stopEchoes?.();
    this.#stopEchoes = undefined;
    this.#subscriber?.disconnect();
    this.#subscriber = undefined;
  }

  #publish(channel: string, message: string): void {
    this.#options.caller.send("publish", [channel, message]).catch(() => {});
  }

  #echo(): void {
    if (!this.#heard) {
      this.#subscriber?.disconnect();
      this.#subscriber = this.#listen(true);
    }
    this.#heard = false;
    this.#publish(this.#echoChannel, "");
  }

  /** @param seen something may have been missed before this connection is there */
  #listen(seen: boolean): Client {
    const { client, channel } = this.#options;
    const subscriber = subscriberOf(client);
    subscriber.on("error", () => {});
    subscriber.on("message", (source: string, message: string) => {
      this.#heard = true;
      if (source !== channel) return;
      for (const line of message.split("\n")) {
        const hint = parseHint(line);
        if (hint !== null) this.#listeners.tell(hint);
      }
    });
    let missed = seen;
    const caughtUp = (): void => {
      if (missed) this.#listeners.tell({ type: "changed" });
      missed = true;
    };
    // Refused, such as to a user without the right to the channels: then no echo comes, and it is tried again.
    const listen = (): Promise<unknown> => subscriber.subscribe(channel, this.#echoChannel).catch(() => {});
    if (subscriber instanceof Redis) {
      subscriber.on("ready", () => {
        unref(subscriber);
        void listen().then(caughtUp);
      });
    } else {
      // It subscribes again by itself, from whichever node is there.
      subscriber.on("ready", caughtUp);
      void listen();
    }
    return subscriber;
  }
}

// A connection that listens can do nothing else. It is given all the time it needs: nobody waits for it.
function subscriberOf(client: Client): Client {
  if (client instanceof Redis) {
    return client.duplicate({
      lazyConnect: false,
      maxRetriesPerRequest: null,
      // Nobody would hear that it is refused, and that ends the process.
      autoResubscribe: false,
      enableOfflineQueue: true,
    });
  }
  return client.duplicate([], { lazyConnect: false, enableOfflineQueue: true });
}

// Listening alone does not keep the process alive.
function unref(client: Redis): void {
  client.stream?.unref?.();
}
