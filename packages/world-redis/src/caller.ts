/**
 * Commands on their way to the server, each with a deadline. A connection on which an answer is overdue is given up: it
 * may be half open, and then nothing would ever come from it.
 */
import { WorldError } from "@perdure/core/errors";
import { within } from "@perdure/core/world";
import { Cluster, Command, type Redis } from "ioredis";
import type { Client } from "./client.ts";
import type { Reply } from "./schema.ts";

/** One argument of a command. */
export type Argument = string | Buffer | number;

/** A command that is sent behind each script that writes, and what its answer must be. */
export interface Confirmation {
  readonly command: readonly [name: string, ...Argument[]];
  /** @throws if the answer says that the write is not where it has to be */
  readonly check: (answer: unknown) => void;
}

export interface CallerOptions {
  readonly client: Client;
  readonly location: string;
  /** How long an answer may take, in milliseconds. */
  readonly callTimeout: number;
}

export class Caller {
  readonly location: string;
  readonly #client: Client;
  readonly #callTimeout: number;

  constructor({ client, location, callTimeout }: CallerOptions) {
    this.#client = client;
    this.location = location;
    this.#callTimeout = callTimeout;
  }

  /** Sends a command. What the server answers as text comes as bytes. */
  send(name: string, args: readonly Argument[]): Promise<Reply> {
    const command = this.#command(name, args);
    return this.#inTime([command], () => {
      this.#client.sendCommand(command);
      return command.promise as Promise<Reply>;
    });
  }

  /** Sends a command and, behind it on the same connection, its confirmation. */
  sendConfirmed(name: string, args: readonly Argument[], confirmation: Confirmation): Promise<Reply> {
    const [confirming, ...rest] = confirmation.command;
    const commands = [this.#command(name, args), this.#command(confirming, rest)];
    return this.#inTime(commands, async () => {
      const pipeline = this.#client.pipeline();
      for (const command of commands) (pipeline as unknown as Redis).sendCommand(command);
      const [done, confirmed] = (await pipeline.exec()) ?? [];
      if (done?.[0]) throw done[0];
      if (confirmed?.[0]) throw confirmed[0];
      confirmation.check(confirmed?.[1]);
      return done?.[1] as Reply;
    });
  }

  // A command of our own making goes as it is, whatever the options of a user's client do to those of its methods.
  #command(name: string, args: readonly Argument[]): Command {
    const { keyPrefix } = this.#client.options;
    return new Command(name, [...args], { replyEncoding: null, ...(keyPrefix ? { keyPrefix } : {}) });
  }

  async #inTime(commands: readonly Command[], send: () => Promise<Reply>): Promise<Reply> {
    const connections = connectionsOf(this.#client).map((node) => ({ node, stream: node.stream }));
    return within(this.#callTimeout, send, () => {
      for (const command of commands) forget(command);
      for (const { node, stream } of connections) if (node.stream === stream) stream?.destroy();
      return new WorldError(
        `The Redis World at ${this.location} got no answer within ${this.#callTimeout} ms (option \`callTimeout\`). Whether ` +
          "this call wrote anything is not known; sent again, over a new connection, it has one effect.",
      );
    });
  }
}

function connectionsOf(client: Client): readonly Redis[] {
  return client instanceof Cluster ? client.nodes() : [client];
}

// The client sends what was not answered again on its next connection. Nobody waits for this any more, and a claim would
// take runs for nobody.
function forget(command: Command): void {
  command.name = "ping";
  command.args = [];
}
