import {
  HookNotFoundError,
  IdempotencyConflictError,
  IdempotencyMismatchError,
  WorkflowRunCancelledError,
  WorkflowRunFailedError,
  WorldError,
} from "@perdure/core/errors";
import { isTerminal } from "@perdure/core/world";
import type { Random } from "@perdure/simulator/cluster";
import { pause } from "@perdure/simulator/cluster";
import { LawBroken } from "./failure.ts";
import { checkAnswer } from "./finale.ts";
import type { Arguments, Value } from "./kinds/kind.ts";
import { TERMINATED } from "./kinds/payloads.ts";
import { isOver } from "./kinds/run.ts";
import { wokenOf } from "./kinds/wait.ts";
import { allHooksOf, type HookSpec, hasHooksBelow, hooksOf, type Program, watchedBy } from "./program.ts";
import { PATIENCE, type Play, type Stage, untilAnswered } from "./stage.ts";
import { forkOnce, retryTwice } from "./successors.ts";
import { simulated } from "./workflow.ts";

/** What the outside world does with one program: starts it, sends to its hooks, cancels it, waits for its result. */

export async function play(stage: Stage, act: Play): Promise<void> {
  const { cluster } = stage;
  const { program } = act;
  await pause(cluster.driver, program.startsAt);
  const others = await watchedRuns(stage, program);
  const args: Arguments = [nameOf(program), program.root, others];
  const runIds = await Promise.all(
    Array.from({ length: program.starters }, () => start(stage, args, program.hook)),
  );
  const [runId] = runIds;
  if (runId === undefined || runIds.some((other) => other !== runId)) {
    throw new LawBroken("start keys are unique", `starts with one key gave ${runIds.join(", ")}`);
  }
  act.runId = runId;
  if (program.starters > 1) await refusals(stage, args, runId);
  await Promise.all([
    ...allHooksOf(program.root).flatMap((hook) => senders(stage, runId, hook)),
    cancel(stage, runId, program.cancelsAt, program.cancelMode),
    wakeUp(stage, runId, program.wokenAt),
    retry(stage, runId),
    wait(stage, act, runId),
  ]);
  await goOn(stage, act, args, runId);
  act.done = true;
}

/** How long a run may go on where another one was, in ms: what that one was sent may be missing. */
const LATE = 20_000;

/** Has a run gone on with that has ended, and waits until that one has ended as well. */
async function goOn(stage: Stage, { program, answer }: Play, args: Arguments, runId: string): Promise<void> {
  const { root, after, index } = program;
  // Whoever waits for a payload elsewhere in the family would wait for ever.
  if (after === null || !stage.successors || hasHooksBelow(root)) return;
  if (after === "retry" && answer?.status !== "failed") return;
  const successor = await (after === "fork" ? forkOnce(stage, runId) : retryTwice(stage, runId, `p${index}`));
  if (successor === null) return;
  if (after === "retry" && (await start(stage, args, program.hook)) !== successor) {
    throw new LawBroken("one run goes on for another", "the start key has not moved", successor);
  }
  const act: Play = { program, runId: successor, answer: null, done: false };
  await Promise.all([
    ...hooksOf(root).flatMap((hook) => senders(stage, successor, hook, "again ")),
    cancel(stage, successor, LATE, stage.random.pick(["graceful", "terminate"] as const)),
    wait(stage, act, successor),
  ]);
  checkAnswer(stage.store, act);
}

/** The runs that a program waits for, once they are started. */
async function watchedRuns({ cluster, plays }: Stage, { root }: Program): Promise<Arguments[2]> {
  const found: Record<number, string> = {};
  for (const index of new Set(watchedBy(root))) {
    const other = plays.find(({ program }) => program.index === index);
    if (other === undefined) continue;
    while (other.runId === null) await pause(cluster.driver, 50);
    found[index] = other.runId;
  }
  return found;
}

async function start(stage: Stage, args: Arguments, token: string | null): Promise<string> {
  const options = { idempotencyKey: args[0], ...(token !== null && { hook: { token } }) };
  return await untilAnswered(stage, async ({ client }) => {
    const run = await client.start(simulated, args, options);
    return run.runId;
  });
}

/** The same key with other arguments, and a caller that wants no other's run. */
async function refusals(stage: Stage, [name, ...others]: Arguments, runId: string): Promise<void> {
  const options = { idempotencyKey: name };
  const refusal = (first: string, onConflict: "return" | "reject"): Promise<unknown> =>
    untilAnswered(stage, async ({ client }) => {
      try {
        await client.start(simulated, [first, ...others], { ...options, onConflict });
        return null;
      } catch (error) {
        if (WorldError.is(error)) throw error;
        return error;
      }
    });
  const mismatch = await refusal("something else", "return");
  const conflict = await refusal(name, "reject");
  if (!IdempotencyMismatchError.is(mismatch) || !IdempotencyConflictError.is(conflict)) {
    throw new LawBroken("start keys are unique", `starts were not refused: ${mismatch}, ${conflict}`, runId);
  }
}

function nameOf(program: Program): string {
  return `program ${program.index}`;
}

/** Lets a worker look at the run, for no reason. */
async function retry(stage: Stage, runId: string): Promise<void> {
  if (!stage.random.chance(0.3)) return;
  await pause(stage.cluster.driver, stage.random.int(0, 5000));
  await tryAgain(stage, runId);
}

/** As `run.retry()` of a run that has not ended; one that has ended meanwhile is left alone, and not gone on with. */
async function tryAgain(stage: Stage, runId: string): Promise<void> {
  const messageId = `retry ${runId} ${stage.random.next()}`;
  await untilAnswered(stage, async ({ client, process }) => {
    const at = process.clock.now();
    await client.world.deliver([{ messageId, to: { runId }, type: "wake", at, data: null }], at);
    return true;
  });
}

/** From so many lost claims on, a run waits for somebody who calls `retry()`: with unread mail, under a lease. */
const POISONED_AFTER = 10;

/** Looks after all runs: one that is parked because it ended its workers is tried again from time to time. */
export async function operate(stage: Stage): Promise<void> {
  for (;;) {
    await pause(stage.cluster.driver, 10_000);
    for (const { row } of stage.store.state.runs.values()) {
      const isPoisoned = row.dueAt === null || row.lostClaims >= POISONED_AFTER;
      if (row.status === "diverged" && isPoisoned) await tryAgain(stage, row.runId);
    }
  }
}

/** How long somebody sends to a token that several want, in ms, and how many payloads at most. */
const SENDING = 30_000;
const SENT = 10;

/** Sends payloads to whoever has a shared token, for a while. */
export async function sendShared(stage: Stage, token: string, random: Random): Promise<void> {
  const { cluster, store } = stage;
  const until = cluster.driver.clock.now() + SENDING;
  for (let n = 0; n < SENT; ) {
    await pause(cluster.driver, random.int(0, 1000));
    if (cluster.driver.clock.now() > until) return;
    // Most of the time nobody has it.
    if (store.state.names.get(`hook:${token}`, cluster.driver.clock.now()) === null) continue;
    if (await sendOnce(stage, token, `driver#${n}`)) n++;
  }
}

/** Each sends its share of the payloads, the next one when the last one is in. */
function senders(stage: Stage, runId: string, hook: HookSpec, name = ""): readonly Promise<void>[] {
  return Array.from({ length: hook.senders }, async (_, sender) => {
    for (let n = sender; n < hook.sent; n += hook.senders) {
      await pause(stage.cluster.driver, stage.random.int(0, 400));
      await send(stage, runId, hook.token, `${name}${sender}#${n}`);
    }
  });
}

/** Sends until it is in, or nobody is left who might take it. */
async function send(stage: Stage, runId: string, token: string, payload: string): Promise<void> {
  const { cluster, random } = stage;
  while (!familyEnded(stage, runId)) {
    const twice = stage.duplicates() && random.chance(0.3);
    const once = (): Promise<boolean> => sendOnce(stage, token, payload);
    if ((await Promise.all(twice ? [once(), once()] : [once()])).includes(true)) return;
    await pause(cluster.driver, 300);
  }
}

/** False if nobody has the token. */
function sendOnce(stage: Stage, token: string, payload: string): Promise<boolean> {
  const options = { idempotencyKey: `${token} ${payload}` };
  return untilAnswered(stage, async ({ client }) => {
    try {
      await client.resumeHook(token, payload, options);
      return true;
    } catch (error) {
      if (HookNotFoundError.is(error)) return false;
      throw error;
    }
  });
}

/** Cancels a run after a while; one that goes on where another one was is ended like this whatever faults there are. */
async function cancel(
  stage: Stage,
  runId: string,
  after: number | null,
  mode: "graceful" | "terminate",
): Promise<void> {
  if (after === null || (!stage.cancels && after !== LATE)) return;
  await pause(stage.cluster.driver, after);
  const reason = mode === "terminate" ? TERMINATED : "simulated";
  await untilAnswered(stage, async ({ client }) => {
    await client.getRun(runId).cancel({ reason, mode });
    return true;
  });
  const status = stage.store.state.runs.get(runId)?.row.status ?? "pending";
  if (mode === "graceful" || isTerminal(status)) return;
  throw new LawBroken("terminated runs end", `it was terminated and is ${status}`, runId);
}

/** Ends the sleeps of a run after a while. */
async function wakeUp(stage: Stage, runId: string, after: number | null): Promise<void> {
  if (after === null) return;
  await pause(stage.cluster.driver, after);
  wokenOf(stage.store.checks).add(runId);
  await untilAnswered(stage, async ({ client }) => await client.getRun(runId).wakeUp());
}

async function wait(stage: Stage, act: Play, runId: string): Promise<void> {
  const { client, process } = stage.random.pick(stage.cluster.clients);
  await new Promise<void>((resolve, reject) => {
    const told = (answer: Play["answer"]): void => {
      act.answer = answer;
      resolve();
    };
    const ask = (): void => {
      client.getRun<Value>(runId).returnValue.then(
        (value) => told({ status: "completed", value }),
        (error: unknown) => {
          if (WorkflowRunCancelledError.is(error)) told({ status: "cancelled" });
          else if (WorkflowRunFailedError.is(error)) told({ status: "failed" });
          else if (WorldError.is(error)) process.clock.setTimer(process.clock.now() + PATIENCE, ask);
          else reject(error);
        },
      );
    };
    process.clock.turn(ask);
  });
}

/** The run is over, and so are those that it has started, and those that they have. */
function familyEnded(stage: Stage, runId: string): boolean {
  const { runs } = stage.store.state;
  const run = runs.get(runId);
  if (run !== undefined && !isOver(run)) return false;
  return [...runs.values()].every(
    ({ row }) => row.attributes.$parent !== runId || familyEnded(stage, row.runId),
  );
}
