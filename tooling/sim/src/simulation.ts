import type { MemoryRun } from "@perdure/core/testing";
import { isTerminal, type RunRecord } from "@perdure/core/world";
import {
  Cluster,
  type EngineLaw,
  enterProcess,
  Network,
  type Random,
  randomOf,
  Scheduler,
  type SimProcess,
  START,
  Trace,
} from "@perdure/simulator/cluster";
import { Actors } from "./actors/actors.ts";
import { isActor } from "./actors/loop.ts";
import { configOf, type Fault, type SimOptions } from "./config.ts";
import { deploy } from "./deploy.ts";
import { LawBroken } from "./failure.ts";
import { checkAnswer, checkEnded } from "./finale.ts";
import { newProgram } from "./generator.ts";
import { Bodies } from "./kinds/body-laws.ts";
import { locksOf } from "./kinds/lock.ts";
import { isOver } from "./kinds/run.ts";
import { SHARED } from "./kinds/shared.ts";
import { isReplaced } from "./kinds/start-key.ts";
import { mend, observeBodies } from "./kinds/step-body.ts";
import { plantInPrograms } from "./planted.ts";
import { operate, play, sendShared } from "./play.ts";
import type { Play } from "./stage.ts";
import { newStore } from "./store.ts";
import { abandon, replaceOneAnother, sendOrStart } from "./talk.ts";
import { deployBadVersion, simulated } from "./workflow.ts";

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
/** In so many clusters there are clients that act beside the programs, of each kind. */
const TALKING = 0.4;
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
  let actors: Actors | null = null;
  const lawBroken = (law: EngineLaw, message: string, runId: string | null): Error =>
    new LawBroken(law, message, runId);
  const network = new Network({
    lawBroken,
    scheduler,
    trace,
    config,
    random: randomOf(seed, "network"),
    on,
    fail,
    kill: (process) => void (actors?.kill(process) || cluster?.kill(process)),
    freeze: (process, ms) => cluster?.freeze(process, ms),
  });
  const members = new Cluster({
    ...{ seed, scheduler, network, trace, config, on, fail, lawBroken, mayDiverge },
    world: store.world,
    workflows: [simulated],
    onFrozen: (until) => store.checks.frozenUntil(until),
  });
  cluster = members;
  const others = new Actors({ seed, scheduler, network, store, trace, config, on, fail });
  actors = others;
  const kill = (process: SimProcess): void => members.kill(process);
  observeBodies(new Bodies({ scheduler, view: store.checks, trace, fail, deadly, kill }));

  const plays: Play[] = [];
  for (let index = 0; index < config.programs; index++) {
    if (options.only !== undefined && !options.only.includes(index)) continue;
    const program = newProgram(index, randomOf(seed, `program ${index}`), (name) => randomOf(seed, name));
    plays.push({ program, runId: null, answer: null, done: false });
  }
  const stage = {
    cluster: members,
    store,
    random: randomOf(seed, "stage"),
    duplicates: () => on("duplicate"),
    cancels: options.faults.includes("cancel"),
    successors: config.badDeploy === null || !options.faults.includes("deploy"),
    delivered: new Set<string>(),
    plays,
  };
  plantInPrograms(options.plant ?? null);
  const begin = (act: () => Promise<void>): void => {
    scheduler.turn(members.driver, () => void act().catch(fail));
  };
  for (const act of plays) begin(() => play(stage, act));
  for (const token of SHARED) begin(() => sendShared(stage, token, randomOf(seed, token)));
  let talks = 0;
  const talk = (name: string, act: (random: Random) => Promise<void>): void => {
    const random = randomOf(seed, name);
    if (!random.chance(TALKING)) return;
    talks++;
    begin(() => act(random).then(() => void talks--));
  };
  talk("inbox", (random) => sendOrStart(stage, "inbox", random));
  talk("abandoned", (random) => abandon(stage, random));
  talk("in place", (random) => replaceOneAnother(stage, random));
  begin(() => operate(stage));
  begin(() => others.begin());
  begin(() => members.disturb());
  begin(() => deploy(members.driver, { config, on, trace, scheduler }));

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
      if (broken !== null) return true;
      return (
        plays.every(({ done }) => done) &&
        talks === 0 &&
        others.done &&
        [...store.state.runs.values()].every(isOver)
      );
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
    if (broken === null) {
      others.check();
      store.payloads.check(stage.delivered);
      locksOf(store.checks).check(scheduler.now);
      for (const act of plays) checkAnswer(store, act);
      for (const run of store.state.runs.values())
        if (!isActor(run.row) && !isAbandoned(run.row) && !isLate(run.row))
          await checkEnded(store, run, mayDiverge());
    }
  } catch (error) {
    fail(error);
  } finally {
    process.off("unhandledRejection", onRejection);
    observeBodies(null);
    deployBadVersion(null);
    plantInPrograms(null);
    mend(null);
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

function unended(runs: Iterable<Pick<MemoryRun, "row">>, plays: readonly Play[]): LawBroken {
  for (const run of runs) {
    if (!isOver(run)) return new LawBroken("every run ends", describeRow(run.row), run.row.runId);
  }
  const stuck = plays.find(({ done }) => !done);
  if (stuck === undefined) return new LawBroken("every run ends", "the actors have not ended");
  const what = stuck.answer === null ? "nobody was told its result" : "its messages were not taken";
  return new LawBroken("client answers", `program ${stuck.program.index}: ${what}`, stuck.runId);
}

function isAbandoned({ workflow }: RunRecord): boolean {
  return workflow === "sim//abandoned";
}

/** A start that replaces was asked for twice, and its second run came when everything was over. */
function isLate(row: RunRecord): boolean {
  return isReplaced(row) && !isTerminal(row.status);
}

function describeRow({ status, owner, dueAt, epoch, mailSeq, mailDone, endSeq, endDone }: RunRecord): string {
  return `still ${status}: ${JSON.stringify({ owner, dueAt, epoch, mailSeq, mailDone, endSeq, endDone })}`;
}

function toLaw(error: unknown): LawBroken {
  if (error instanceof LawBroken) return error;
  return new LawBroken("no engine errors", (error as Error)?.stack ?? String(error));
}
