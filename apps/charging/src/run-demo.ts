// The demo itself: servers up, processes up, customers charged, processes killed and started again, ledgers read. Whatever
// happens, no process and no directory is left behind.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ClientsResult, type OrderOutcome, runClients } from "./clients/clients.ts";
import { planOrders } from "./clients/orders.ts";
import { apiFleet, workerFleet } from "./fleets.ts";
import { openJournal } from "./journal.ts";
import { KillSchedule } from "./kills.ts";
import { Observer } from "./observer.ts";
import type { DemoOptions } from "./options.ts";
import type { Chronicle } from "./page/chronicle.ts";
import type { Progress } from "./progress.ts";
import { type ServerProcess, startServer } from "./servers/server-process.ts";
import { takeVerdict, type Verdict } from "./verdict.ts";
import { worldNamed } from "./worlds.ts";

/** The demo's result; the JSON line is this object. */
export interface DemoResult
  extends Verdict,
    Pick<ClientsResult, "requests" | "duplicateRequests" | "unequalAnswers"> {
  world: string;
  customers: number;
  /** Kills that were carried out, of workers and of API servers. */
  kills: number;
  /** Those of API servers. */
  apiKills: number;
  /** Times a step's body was begun, by the journal. */
  attempts: number;
  /** Runs whose code and journal disagree. */
  diverged: number;
  /** From the first start to the last result, in milliseconds. */
  ms: number;
  /** The API checked a flag and then acted. */
  naive: boolean;
  /** Every customer has exactly one charge and one receipt, and nothing diverged. */
  ok: boolean;
}

/** The share of the charges that the clients have refunded. */
const refundShare = 0.2;

/** Runs the demo. `signal` ends it early; it then throws the signal's reason. */
export async function runDemo(
  options: DemoOptions,
  progress: Progress,
  chronicle: Chronicle,
  signal: AbortSignal,
): Promise<DemoResult> {
  const dir = await mkdtemp(join(tmpdir(), "perdure-charging-"));
  await using cleanup = new AsyncDisposableStack();
  cleanup.defer(async () => {
    if (!options.keep) await rm(dir, { recursive: true, force: true });
  });
  progress.note(`Ledgers, journal and workers' output: ${dir}${options.keep ? "" : " (removed at the end)"}`);

  const failure = new AbortController();
  const onFailure = (error: unknown): void => failure.abort(error);
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
  const onCharged = (charged: number): void => {
    if (!options.restartStore || 2 * charged < options.customers) return;
    restarted ??= restart?.().then(
      () => progress.note("Crashed the store's server, and started it again"),
      onFailure,
    );
  };

  const api = options.clients > 0;
  const schedule = new KillSchedule({ ...options, apis: api ? options.apis : 0 });
  const observer = new Observer({
    ...{ schedule, chronicle, progress, ended, onCharged, onFailure },
    victims: (victim) => (victim === "api" ? apis : workers),
  });
  const { watch } = observer;

  const ledgers = { payment: join(dir, "payment.db"), receipts: join(dir, "receipts.db") };
  const serve = async (name: "payment" | "receipts"): Promise<ServerProcess> => {
    const { seed, faults, workers: doors } = options;
    const server = await startServer({ name, ledger: ledgers[name], seed, faults, doors, watch });
    cleanup.defer(() => server.stop());
    return server;
  };
  const [payment, receipts] = await Promise.all([serve("payment"), serve("receipts")]);
  const surroundings = { options, dir, address: store.address, onFailure };
  const workers = workerFleet({ ...surroundings, payment: payment.urls, receipts: receipts.urls });
  cleanup.defer(() => workers.killAll());
  const apis = apiFleet({ ...surroundings, payment: payment.urls, watch });
  cleanup.defer(() => apis.killAll());
  const journal = await openJournal(world.open(store.address), options.variant);
  cleanup.defer(() => journal.close());
  await Promise.all([workers.startAll(), api ? apis.startAll() : undefined]);
  ended.throwIfAborted();

  const customers = Array.from(
    { length: options.customers },
    (_, i) => `cus_${String(i + 1).padStart(3, "0")}`,
  );
  chronicle.add({ type: "begun", customers, workers: options.workers, apis: api ? options.apis : 0 });
  const orders = planOrders({
    seed: options.seed,
    customers,
    duplicates: api ? options.duplicateRequests : 0,
    refunds: api && !options.naive ? refundShare : 0,
  });
  const startedAt = performance.now();
  const limit = AbortSignal.any([ended, AbortSignal.timeout(options.timeout * 1000)]);
  const { outcomes, requests, duplicateRequests, unequalAnswers } = api
    ? await runClients(orders, {
        ...{ clients: options.clients, urls: apis.urls, signal: limit },
        onAsked: (customer, again) => chronicle.add({ type: "asked", customer, again }),
        onAnswered: (customer, { status, replayed }) =>
          chronicle.add({ type: "answered", customer, status, replayed }),
      })
    : { outcomes: await journal.charge(orders, limit), ...nobodyAsked };
  const ms = Math.round(performance.now() - startedAt);
  await restarted;
  ended.throwIfAborted();
  for (const line of troubles(outcomes)) progress.note(line);
  if (schedule.left > 0)
    progress.note(`${schedule.left} kills found no request to hit before the work was done`);

  await Promise.all([workers.stopAll(), apis.stopAll()]);
  const { attempts, diverged } = await journal.count();
  await Promise.all([payment.stop(), receipts.stop()]);
  const verdict = takeVerdict(ledgers, customers);
  const once = verdict.charges === customers.length && verdict.receipts === customers.length;
  const refunded =
    verdict.duplicateRefunds === 0 && verdict.refunds === orders.filter((o) => o.refund).length;
  return {
    ...{ world: options.world, customers: customers.length },
    ...verdict,
    ...{ requests, duplicateRequests, unequalAnswers },
    kills: observer.kills.worker + observer.kills.api,
    apiKills: observer.kills.api,
    ...{ attempts, diverged, ms },
    naive: options.naive,
    ok: once && refunded && verdict.lost === 0 && unequalAnswers === 0 && diverged === 0,
  };
}

const nobodyAsked = { requests: 0, duplicateRequests: 0, unequalAnswers: 0 };

function troubles(outcomes: readonly OrderOutcome[]): string[] {
  return outcomes.flatMap(({ customer, trouble }) =>
    trouble === undefined ? [] : [`${customer}: ${trouble}`],
  );
}
