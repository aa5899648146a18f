import { isTerminal } from "@perdure/core/world";
import { Bodies } from "./bodies.ts";
import { Cluster } from "./cluster.ts";
import { configOf, type Fault, type SimOptions } from "./config.ts";
import { LawBroken } from "./failure.ts";
import { checkEnded } from "./finale.ts";
import { Network } from "./network.ts";
import { type Play, play } from "./play.ts";
import { enterProcess, type SimProcess } from "./process.ts";
import { newProgram } from "./program.ts";
import { randomOf } from "./random.ts";
import { Scheduler, START } from "./scheduler.ts";
import { newStore } from "./store.ts";
import { Trace } from "./trace.ts";
import { deployBadVersion, observeBodies } from "./workflow.ts";

/** One cluster from its start until every run is over. */

export interface SimResult {
  readonly seed: number;
  /** `null` if every law held. */
  readonly broken: LawBroken | null;
  /** What happened to the run concerned, and to the processes, last. */
  readonly trace: readonly string[];
  readonly programs: number;
  readonly events: number;
  readonly turns: number;
  /** Virtual time that has passed, in ms. */
  readonly elapsed: number;
}

/** How long runs may take to end once there are no more faults, in ms of virtual time. */
const PATIENCE = 15 * 60_000;
const TRACE_LENGTH = 60;
/** Far more macrotasks than a whole cluster has to do in one millisecond. */
const TURNS_AT_ONE_TIME = 20_000;

export async function simulate(options: SimOptions): Promise<SimResult> {
  const { seed } = options;
  const config = configOf(options);
  const trace = new Trace();
  let broken: unknown = null;
  const fail = (error: unknown): void => {
    broken ??= error;
  };
  const scheduler = new Scheduler(randomOf(seed, "scheduler"), enterProcess);
  const faultsEnd = START + config.faultsEnd;
  let ending = false;
  const on = (fault: Fault): boolean =>
    !ending && options.faults.includes(fault) && scheduler.now < faultsEnd;
  const mayDiverge = (): boolean =>
    config.badDeploy !== null &&
    options.faults.includes("deploy") &&
    scheduler.now >= START + config.badDeploy.at;
  const calm = config.faultsEnd === 0 || options.faults.length === 0;
  const deadly = (key: string): boolean =>
    config.poison !== null &&
    options.faults.includes("poison") &&
    scheduler.now < START + config.poison.until &&
    key.startsWith(`p${config.poison.program}/`);
  const store = newStore({
    plant: options.plant,
    leaseTtl: config.leaseTtl,
    time: () => scheduler.now,
    mayDiverge,
    skewed: !calm && options.faults.includes("clock"),
    calm: calm && (config.poison === null || !options.faults.includes("poison")),
  });
  let cluster: Cluster | null = null;
  const network = new Network({
    scheduler,
    trace,
    config,
    random: randomOf(seed, "network"),
    on,
    fail,
    kill: (process) => cluster?.kill(process),
    freeze: (process, ms) => cluster?.freeze(process, ms),
  });
  const members = new Cluster({ seed, scheduler, network, store, trace, config, on, fail, mayDiverge });
  cluster = members;
  const kill = (process: SimProcess): void => members.kill(process);
  observeBodies(new Bodies({ scheduler, store, trace, fail, deadly, kill }));

  const plays: Play[] = [];
  for (let index = 0; index < config.programs; index++) {
    if (options.only !== undefined && !options.only.includes(index)) continue;
    const program = newProgram(index, randomOf(seed, `program ${index}`));
    plays.push({ program, runId: null, answer: null, done: false });
  }
  const stage = {
    cluster: members,
    store,
    random: randomOf(seed, "stage"),
    duplicates: () => on("duplicate"),
    cancels: options.faults.includes("cancel"),
  };
  const begin = (act: () => Promise<void>): void => {
    scheduler.turn(members.driver, () => void act().catch(fail));
  };
  for (const act of plays) begin(() => play(stage, act));
  begin(() => members.disturb());
  begin(() => members.deploy());

  const onRejection = (error: unknown): void => {
    fail(
      new LawBroken("no engine errors", `unhandled rejection: ${(error as Error)?.stack ?? String(error)}`),
    );
  };
  process.on("unhandledRejection", onRejection);
  try {
    const over = await scheduler.run(faultsEnd + PATIENCE, () => {
      if (scheduler.turnsAtThisTime > TURNS_AT_ONE_TIME)
        fail(new LawBroken("nobody spins", "time stands still"));
      return broken !== null || plays.every(({ done }) => done);
    });
    if (broken === null && !over) fail(unended(store.state.runs.values(), plays));
    if (broken === null) {
      ending = true;
      deployBadVersion(null);
      let closed = false;
      begin(async () => {
        await members.shutDown();
        closed = true;
      });
      await scheduler.run(scheduler.now + PATIENCE, () => closed || broken !== null);
      if (!closed && broken === null) fail(new LawBroken("workers close", "a worker does not close"));
    }
    if (broken === null) store.checks.store(scheduler.now);
    if (broken === null) for (const act of plays) await checkEnded(store, act, mayDiverge());
  } catch (error) {
    fail(error);
  } finally {
    process.off("unhandledRejection", onRejection);
    observeBodies(null);
    deployBadVersion(null);
  }
  const law = broken === null ? null : toLaw(broken);
  return {
    seed,
    broken: law,
    trace: law === null ? [] : trace.about(law.runId, TRACE_LENGTH),
    programs: plays.length,
    events: [...store.state.runs.values()].reduce((sum, { journal }) => sum + journal.length, 0),
    turns: scheduler.turns,
    elapsed: scheduler.now - START,
  };
}

function unended(
  runs: Iterable<{ readonly row: Parameters<typeof describeRow>[0] }>,
  plays: readonly Play[],
): LawBroken {
  for (const { row } of runs) {
    if (!isTerminal(row.status)) return new LawBroken("every run ends", describeRow(row), row.runId);
  }
  const stuck = plays.find(({ done }) => !done);
  const what = stuck?.answer === null ? "nobody was told its result" : "its messages were not taken";
  return new LawBroken("client answers", `program ${stuck?.program.index}: ${what}`, stuck?.runId ?? null);
}

function describeRow(row: {
  readonly runId: string;
  readonly status: Parameters<typeof isTerminal>[0];
  readonly owner: string | null;
  readonly dueAt: number | null;
  readonly epoch: number;
  readonly mailSeq: number;
  readonly mailDone: number;
}): string {
  const { status, owner, dueAt, epoch, mailSeq, mailDone } = row;
  return `still ${status}: ${JSON.stringify({ owner, dueAt, epoch, mailSeq, mailDone })}`;
}

function toLaw(error: unknown): LawBroken {
  if (error instanceof LawBroken) return error;
  return new LawBroken("no engine errors", (error as Error)?.stack ?? String(error));
}
