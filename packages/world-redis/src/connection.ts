/**
 * The one way in which this World reads and writes: a script in a partition. What a script has written is durable, as
 * far as it was asked for, before its answer is given.
 */
import { randomInt } from "node:crypto";
import { setTimeout as delay } from "node:timers/promises";
import { WorldError } from "@perdure/core/errors";
import type { OperationProbe } from "@perdure/core/world";
import type { Argument, Caller, Confirmation } from "./caller.ts";
import { isPassing, replyCode, worldError } from "./errors.ts";
import type { Partitions, Share } from "./partitions.ts";
import type { Reply } from "./schema.ts";
import type { Script } from "./script.ts";
import type { Stored } from "./text.ts";

// The longest pause between two tries while the server says that it will be able to do this in a moment, ms.
const LONGEST_PAUSE = 300;

export interface ConnectionOptions {
  readonly caller: Caller;
  readonly partitions: Partitions;
  readonly clock: "store" | "caller";
  readonly patience: number;
  readonly confirmation: Confirmation | null;
  readonly beforeOperation: OperationProbe | undefined;
}

export class Connection {
  readonly partitions: Partitions;
  readonly location: string;
  readonly #options: ConnectionOptions;
  #crashed = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    this.partitions = options.partitions;
    this.location = options.caller.location;
  }

  /** The first two arguments of a script that judges time. */
  clock(now: number): readonly [string, string] {
    return [String(now), this.#options.clock];
  }

  /**
   * Runs a script in a partition.
   *
   * @throws {WorldError} an ambiguous answer, unless the message says that nothing was written
   */
  async run(script: Script, partition: number, args: readonly Stored[]): Promise<Reply> {
    await this.#operation(script.operation);
    try {
      return await this.#patiently(script, this.partitions.metaKey(partition), args);
    } catch (error) {
      throw worldError(error, this.location);
    }
  }

  /** Runs a script once for each share of a batch, at the same time. Each share's answer is one element per item. */
  async runShares<T>(
    script: Script,
    shares: readonly Share<T>[],
    argsOf: (share: Share<T>) => readonly Stored[],
  ): Promise<Reply[]> {
    const answers: Reply[] = [];
    const run = async (share: Share<T>): Promise<void> => {
      const answer = (await this.run(script, share.partition, argsOf(share))) as readonly Reply[];
      for (const [index, place] of share.places.entries()) answers[place] = answer[index] ?? null;
    };
    if (this.#options.beforeOperation === undefined) {
      await allSettled(shares.map(run));
    } else {
      // The conformance suite's crashes come between two operations.
      for (const share of shares) await run(share);
    }
    return answers;
  }

  /** Called before each operation on the store. Where the probe throws, this World is as good as killed. */
  async #operation(name: string): Promise<void> {
    if (this.#options.beforeOperation === undefined) return;
    if (this.#crashed) throw new WorldError("This World was stopped by its operation probe.");
    try {
      await this.#options.beforeOperation(name);
    } catch (error) {
      this.#crashed = true;
      throw error;
    }
  }

  async #patiently(script: Script, metaKey: string, args: readonly Stored[]): Promise<Reply> {
    let waited = 0;
    let load = false;
    for (;;) {
      try {
        return await this.#send(script, metaKey, args, load);
      } catch (error) {
        if (replyCode(error) === "NOSCRIPT" && !load) {
          load = true;
          continue;
        }
        if (!isPassing(error) || waited >= this.#options.patience) throw error;
      }
      const pause = randomInt(LONGEST_PAUSE / 4, LONGEST_PAUSE);
      waited += pause;
      await delay(pause);
    }
  }

  #send(script: Script, metaKey: string, args: readonly Stored[], load: boolean): Promise<Reply> {
    const { caller, confirmation } = this.#options;
    const command: Argument[] = [load ? script.source : script.sha, 1, metaKey, ...args];
    const verb = load ? "eval" : "evalsha";
    return confirmation === null || !script.writes
      ? caller.send(verb, command)
      : caller.sendConfirmed(verb, command, confirmation);
  }
}

/** Waits for all, then throws the first failure: no operation is under way when a verb rejects. */
async function allSettled(promises: readonly Promise<void>[]): Promise<void> {
  for (const result of await Promise.allSettled(promises)) {
    if (result.status === "rejected") throw result.reason;
  }
}
