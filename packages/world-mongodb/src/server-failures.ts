/** What the driver finds out about the servers by itself, for calls that are given up before the driver gives up: a client of a user's waits longer. */
import type { MongoClient, ServerHeartbeatFailedEvent, ServerHeartbeatSucceededEvent } from "mongodb";

export class ServerFailures {
  readonly #client: MongoClient;
  /** What the last try at each server gave; `null`: it answered. */
  readonly #tries: Map<string, Error | null> = new Map();

  constructor(client: MongoClient) {
    this.#client = client;
    client.on("serverHeartbeatFailed", this.#failed);
    client.on("serverHeartbeatSucceeded", this.#succeeded);
  }

  /** Why no server answers; `undefined` while one does, or nobody knows. */
  get reason(): Error | undefined {
    const tries = [...this.#tries.values()];
    return tries.includes(null) ? undefined : (tries.at(-1) ?? undefined);
  }

  /** The client is left as it was. */
  close(): void {
    this.#client.off("serverHeartbeatFailed", this.#failed);
    this.#client.off("serverHeartbeatSucceeded", this.#succeeded);
  }

  readonly #failed = ({ connectionId, failure }: ServerHeartbeatFailedEvent): void => {
    this.#tries.set(connectionId, failure);
  };

  readonly #succeeded = ({ connectionId }: ServerHeartbeatSucceededEvent): void => {
    this.#tries.set(connectionId, null);
  };
}
