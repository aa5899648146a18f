// The demo itself: servers up, workers up, runs started, workers killed and started again, ledgers read. Whatever
// happens, no process and no directory is left behind.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Fleet } from "./fleet.ts";
import { type ChargeOutcome, openJournal } from "./journal.ts";
import { KillSchedule } from "./kills.ts";
import type { DemoOptions } from "./options.ts";
import type { Progress } from "./progress.ts";
import { seededInteger } from "./seeded.ts";
import type { Moment, ServerName } from "./servers/moments.ts";
import { type ServerProcess, startServer } from "./servers/server-process.ts";
import { takeVerdict, type Verdict } from "./verdict.ts";
import { worldNamed } from "./worlds.ts";

/** The demo's result; the JSON line is this object. */
export interface DemoResult extends Verdict {
  world: string;
  customers: number;
  /** Kills that were carried out. */
  kills: number;
  /** Times a step's body was begun, by the journal. */
  attempts: number;
  /** Runs whose code and journal disagree. */
  diverged: number;
  /** From the first start to the last result, in milliseconds. */
  ms: number;
  /** Every customer has exactly one charge and one receipt, and nothing diverged. */
  ok: boolean;
}

/** Runs the demo. `signal` ends it early; it then throws the signal's reason. */
export async function runDemo(
  options: DemoOptions,
  progress: Progress,
  signal: AbortSignal,
): Promise<DemoResult> {
  const dir = await mkdtemp(join(tmpdir(), "perdure-charging-"));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(async () => {
    if (!options.keep) await rm(dir, { recursive: true, force: true });
  });
  progress.note(`Ledgers, journal and workers' output: ${dir}${options.keep ? "" : " (removed at the end)"}`);

  const failure = new AbortController();
  const ended = AbortSignal.any([signal, failure.signal]);
  const world = worldNamed(options.world);
  const store = await world.prepare(dir);
  cleanup.defer(() => store.release());
  const { restart } = store;
  if (options.restartStore && restart === undefined) {
    throw new Error(
      `--restart-store: the World '${options.world}' has no server here that the demo may restart.`,
    );
  }
  let restarted: Promise<void> | undefined;

  const schedule = new KillSchedule(options);
  const ledgers = { payment: join(dir, "payment.db"), receipts: join(dir, "receipts.db") };
  const done = { payment: new Set<string>(), receipts: new Set<string>() };
  let kills = 0;

  const count = (): void =>
    progress.counts({ charged: done.payment.size, receipted: done.receipts.size, killed: kills });
  const watch = async (moment: Moment): Promise<void> => {
    if (moment.phase === "executed") {
      done[moment.server].add(moment.customer);
      count();
      if (options.restartStore && 2 * done.payment.size >= options.customers) {
        restarted ??= restart?.().then(
          () => progress.note("Crashed the store's server, and started it again"),
          (error) => failure.abort(error),
        );
      }
    }
    if (!schedule.observe(moment) || ended.aborted) return;
    const pid = fleet.pid(moment.door);
    if (!(await fleet.kill(moment.door))) return;
    kills++;
    count();
    progress.note(`Killed worker ${moment.door} (pid ${pid}) ${caught(moment)}`);
    // Restarted beside the request, which goes on: its server must not wait for a worker that is not its client.
    fleet.start(moment.door).then(
      () => schedule.up(moment.door),
      (error) => failure.abort(error),
    );
  };

  const serve = async (name: ServerName): Promise<ServerProcess> => {
    const server = await startServer({
      name,
      ledger: ledgers[name],
      seed: options.seed,
      faults: options.faults,
      doors: options.workers,
      watch,
    });
    cleanup.defer(() => server.stop());
    return server;
  };
  const [payment, receipts] = await Promise.all([serve("payment"), serve("receipts")]);
  const fleet = new Fleet({
    workers: options.workers,
    logDir: dir,
    args: [
      ...["--world", options.world, "--address", store.address, "--workflow", options.variant],
      ...["--concurrency", String(options.concurrency), "--lease", String(options.lease)],
    ],
    env: (worker) => ({
      STRIPE_API_BASE: payment.urls[worker] as string,
      STRIPE_SECRET_KEY: "sk_test_demo",
      RECEIPTS_API_BASE: receipts.urls[worker] as string,
    }),
    onFailure: (error) => failure.abort(error),
  });
  cleanup.defer(() => fleet.killAll());
  const journal = await openJournal(world.open(store.address), options.variant);
  cleanup.defer(() => journal.close());
  await fleet.startAll();
  ended.throwIfAborted();

  const customers = Array.from(
    { length: options.customers },
    (_, i) => `cus_${String(i + 1).padStart(3, "0")}`,
  );
  const startedAt = performance.now();
  const outcomes = await journal.charge(
    customers.map((customer) => ({ customer, amount: amountOf(options.seed, customer) })),
    { signal: ended, timeoutMs: options.timeout * 1000 },
  );
  const ms = Math.round(performance.now() - startedAt);
  await restarted;
  ended.throwIfAborted();
  for (const line of troubles(outcomes)) progress.note(line);
  if (schedule.left > 0)
    progress.note(`${schedule.left} kills found no request to hit before the work was done`);

  await fleet.stopAll();
  const { attempts, diverged } = await journal.count();
  await Promise.all([payment.stop(), receipts.stop()]);
  const verdict = takeVerdict(ledgers, customers);
  const once = verdict.charges === customers.length && verdict.receipts === customers.length;
  return {
    world: options.world,
    customers: customers.length,
    ...verdict,
    kills,
    attempts,
    diverged,
    ms,
    ok: once && verdict.lost === 0 && diverged === 0,
  };
}

/** Five to two hundred dollars, in cents. */
function amountOf(seed: number, customer: string): number {
  return seededInteger(seed, 500, 20_000, "amount", customer);
}

/** Says in words where a kill hit. */
function caught({ server, phase, customer }: Moment): string {
  const what = server === "payment" ? "charge" : "receipt";
  switch (phase) {
    case "arrived":
      return `while it waited for ${customer}'s ${what}, not made yet`;
    case "executed":
      return `after ${customer}'s ${what} was made, before the answer`;
    case "ended":
      return `right after the answer about ${customer}'s ${what}`;
  }
}

function troubles(outcomes: readonly ChargeOutcome[]): string[] {
  return outcomes.flatMap(({ customer, trouble }) =>
    trouble === undefined ? [] : [`${customer}: ${trouble}`],
  );
}
