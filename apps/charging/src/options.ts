// The demo's command line: flags, defaults, and what is wrong with a flag.

import { Command, InvalidArgumentError, Option } from "commander";
import type { Variant } from "./workflows/choice.ts";
import { worlds } from "./worlds.ts";

export interface DemoOptions {
  world: string;
  customers: number;
  workers: number;
  /** Clients that call the HTTP API. With none, the demo starts the runs itself and there is no API. */
  clients: number;
  /** API servers. */
  apis: number;
  /** The share of the clients' requests that are sent twice or at once. */
  duplicateRequests: number;
  /** The API checks a flag and then acts, in place of the idempotency layer. */
  naive: boolean;
  kills: number;
  seed: number;
  variant: Variant;
  faults: boolean;
  /** Runs that one worker executes at a time. */
  concurrency: number;
  /** How long a dead worker's runs wait for another, in milliseconds. */
  lease: number;
  /** After so many seconds the verdict is taken whatever has not happened yet. */
  timeout: number;
  /** Crash the store's server, and start it again, when half of the customers are charged. */
  restartStore: boolean;
  keep: boolean;
  /** Keep the page up after the verdict. */
  linger: boolean;
  json: boolean;
}

interface Flags extends Omit<DemoOptions, "variant" | "faults" | "clients" | "duplicateRequests"> {
  clients?: number;
  duplicateRequests?: number;
  client: "fetch" | "stripe";
  keys: boolean;
  faults: "on" | "off";
}

/** A whole number from `min` to `max`. */
function whole(min: number, max: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (!/^\d+$/.test(value) || number < min || number > max) {
      throw new InvalidArgumentError(`It must be a whole number from ${min} to ${max}.`);
    }
    return number;
  };
}

/** A share, from 0 to 1. */
function share(value: string): number {
  const number = Number(value);
  if (value.trim() === "" || !(number >= 0 && number <= 1)) {
    throw new InvalidArgumentError("It must be a share from 0 to 1, such as 0.5.");
  }
  return number;
}

/** Clients, where a flag asks for the API and no number is given. */
const defaultClients = 8;
/** A share of the requests, where none is given. */
const defaultDuplicates = 0.5;

/** Reads the flags. Prints what is wrong, or the help, and ends the process when there is nothing to run. */
export function readOptions(argv: readonly string[]): DemoOptions {
  const program = new Command("demo")
    .description("Charges customers while processes are killed, and checks that each was charged once.")
    .addOption(
      new Option("--world <name>", "where the journal is kept")
        .choices(Object.keys(worlds))
        .default("sqlite"),
    )
    .option("--customers <n>", "customers to charge", whole(1, 10_000), 25)
    .option("--workers <n>", "worker processes", whole(1, 16), 2)
    .option("--clients <n>", "clients that charge through the HTTP API (default: none, or 8)", whole(1, 256))
    .option(
      "--duplicate-requests <share>",
      "how many of their requests the clients send twice or at once (default: 0.5)",
      share,
    )
    .option("--naive", "let the API check a flag and then act, and see the duplicates", false)
    .option("--apis <n>", "API servers", whole(1, 16), 2)
    .option("--kills <n>", "processes killed under the work, at most one per customer", whole(0, 10_000), 5)
    .option("--seed <n>", "decides faults, kills and amounts", whole(0, 2 ** 31), 1)
    .addOption(
      new Option("--client <name>", "how the charge step calls the payment server")
        .choices(["fetch", "stripe"])
        .default("fetch"),
    )
    .option("--without-keys", "send no idempotency keys, and see the duplicates")
    .addOption(
      new Option("--faults <on|off>", "resets, errors and slow answers").choices(["on", "off"]).default("on"),
    )
    .option("--concurrency <n>", "runs that one worker executes at a time", whole(1, 1_000), 4)
    .option("--lease <ms>", "how long a dead worker's runs wait for another", whole(500, 60_000), 2_000)
    .option("--timeout <s>", "take the verdict after so many seconds at the latest", whole(1, 3_600), 120)
    .option("--restart-store", "crash the store's server in the middle, and start it again", false)
    .option("--linger", "keep the page up after the verdict, until Ctrl-C", false)
    .option("--keep", "leave the ledgers, the journal and the workers' output on the disk", false)
    .option("--json", "print the result as one JSON object on the last line", false)
    .showHelpAfterError("(--help lists the flags)");
  // Package managers hand a `--` through that was meant for them.
  program.parse(argv[0] === "--" ? argv.slice(1) : argv, { from: "user" });
  const { client, faults, withoutKeys, clients, duplicateRequests, ...flags } = program.opts<
    Flags & { withoutKeys?: true }
  >();

  if (withoutKeys && client === "stripe") {
    program.error("error: --without-keys goes with --client fetch: the Stripe client adds keys of its own.");
  }
  if (flags.kills > flags.customers) {
    program.error(
      `error: --kills ${flags.kills} needs at least as many customers, and there are ${flags.customers}.`,
    );
  }
  const api = clients !== undefined || duplicateRequests !== undefined || flags.naive;
  if (api && (withoutKeys || client === "stripe")) {
    program.error(
      "error: what the API starts is the workflow with `fetch` and keys: leave --client and --without-keys out.",
    );
  }
  return {
    ...flags,
    clients: api ? (clients ?? defaultClients) : 0,
    duplicateRequests: duplicateRequests ?? defaultDuplicates,
    variant: withoutKeys ? "without-keys" : client,
    faults: faults === "on",
  };
}
