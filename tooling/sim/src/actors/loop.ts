import { WorldError } from "@perdure/core/errors";
import type { MemoryState } from "@perdure/core/testing";
import type {
  ClaimedRun,
  JournalEvent,
  Mail,
  Message,
  NewEvent,
  RunCommit,
  RunRecord,
} from "@perdure/core/world";
import { pause } from "@perdure/simulator/cluster";
import { LawBroken } from "../failure.ts";
import type { Actor } from "./actor.ts";

/**
 * A run that hears messages and begins its journal anew again and again. A generation begins with all that was heard before;
 * whoever claims the run reads the rest from its journal and its mailbox.
 */

const RUN = "loop";
const QUEUE = "actor//loop";
const MESSAGES = 12;
const SENDERS = 2;

/** A run that no engine executes. */
export function isActor({ workflow }: Pick<RunRecord, "workflow">): boolean {
  return workflow.startsWith("actor//");
}

export async function createLoop({ world, process }: Actor): Promise<void> {
  const { clock } = process;
  await untilAnswered(process, () => {
    const now = clock.now();
    const run = {
      runId: RUN,
      workflow: QUEUE,
      queue: QUEUE,
      attributes: {},
      state: null,
      idempotencyKey: null,
      events: [event("run_created", now, null)],
      names: [],
      mail: [],
      dueAt: now,
      lease: null,
    };
    return world.createRuns([run], now);
  });
}

/** Sends all messages; each sender the next one when the last one is in. */
export async function sendToLoop({ world, process, random }: Actor): Promise<void> {
  const { clock } = process;
  const sender = async (first: number): Promise<void> => {
    for (let n = first; n < MESSAGES; n += SENDERS) {
      await pause(process, random.int(0, 1500));
      await untilAnswered(process, async () => {
        const at = clock.now();
        const message: Message = {
          messageId: `loop#${n}`,
          to: { runId: RUN },
          type: "sim",
          at,
          data: bytes(n),
        };
        return await world.deliver([message], at);
      });
    }
  };
  await Promise.all(Array.from({ length: SENDERS }, (_, first) => sender(first)));
}

/** Claims the run and hears what there is, again and again. */
export async function tendLoop(actor: Actor): Promise<void> {
  const { world, process, random, leaseTtl, over } = actor;
  for (let claims = 0; !over(); claims++) {
    await pause(process, random.int(50, 1000));
    try {
      const { runs } = await world.claim({
        queues: [QUEUE],
        limit: 1,
        byteLimit: 1,
        owner: process.name,
        claimId: `${process.name}/${claims}`,
        ttl: leaseTtl,
        now: process.clock.now(),
        cached: new Map(),
        eventLimit: 1000,
      });
      for (const claimed of runs) await hear(actor, claimed);
    } catch (error) {
      if (!WorldError.is(error)) throw error;
    }
  }
}

async function hear(actor: Actor, { run, events, mail }: ClaimedRun): Promise<void> {
  const { world, process, random, leaseTtl, fail } = actor;
  const { runId, epoch, claimId } = run;
  let { seq, mailDone } = run;
  const heard = heardIn(events);
  let unread: readonly Mail[] = mail;
  for (;;) {
    const read = unread.slice(0, random.int(1, 3));
    for (const { data } of read) heard.push(numberIn(data));
    mailDone = read.at(-1)?.mailSeq ?? mailDone;
    const now = process.clock.now();
    const ends = heard.length >= MESSAGES;
    const restart = !ends && random.chance(0.4);
    const holds = !ends && random.chance(0.5);
    const commit: RunCommit = {
      runId,
      epoch,
      claimId: claimId ?? "",
      seq,
      restart,
      events: ends
        ? [event("run_completed", now, all(heard))]
        : restart
          ? [event("sim_restarted", now, all(heard))]
          : read.map(({ data }) => event("sim_heard", now, data)),
      mailDone,
      run: ends ? { status: "completed", completedAt: now, output: all(heard) } : {},
      lease: holds ? { type: "hold", ttl: leaseTtl } : { type: "park", dueAt: ends ? null : now + 5000 },
    };
    const [result] = await world.commit([commit], now).catch(() => world.commit([commit], now));
    if (result?.outcome === "out_of_step") {
      fail(new LawBroken("journal order", `the owner wrote behind the end, at ${seq}`, runId));
    }
    if (result?.outcome !== "committed" || !holds) return;
    seq += commit.events.length;
    await pause(process, random.int(0, 500));
    [unread = []] = await world.listMail([{ runId, after: mailDone }]);
  }
}

/** Everything is over: each message was heard once, those of one sender in order. */
export function checkHeard(state: MemoryState): void {
  const run = state.runs.get(RUN);
  const heard = JSON.parse(new TextDecoder().decode(run?.row.output ?? new Uint8Array())) as number[];
  for (let first = 0; first < SENDERS; first++) {
    const own = heard.filter((n) => n % SENDERS === first);
    if (own.length === MESSAGES / SENDERS && own.every((n, index) => n === first + index * SENDERS)) continue;
    throw new LawBroken("a restart keeps mail", `${heard.join(" ")} were heard`, RUN);
  }
}

function heardIn(events: readonly JournalEvent[]): number[] {
  return events.flatMap(({ type, data }) => {
    if (type === "sim_restarted") return JSON.parse(new TextDecoder().decode(data ?? undefined)) as number[];
    return type === "sim_heard" ? [numberIn(data)] : [];
  });
}

function event(type: string, at: number, data: Uint8Array | null): NewEvent {
  return { type, at, id: null, name: null, data };
}

function bytes(n: number): Uint8Array {
  return new TextEncoder().encode(String(n));
}

function all(heard: readonly number[]): Uint8Array {
  return new TextEncoder().encode(JSON.stringify(heard));
}

function numberIn(data: Uint8Array | null): number {
  return Number(new TextDecoder().decode(data ?? undefined));
}

async function untilAnswered<T>(process: Actor["process"], ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask();
    } catch (error) {
      if (!WorldError.is(error)) throw error;
      await pause(process, 200);
    }
  }
}
