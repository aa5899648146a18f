import { isTerminal } from "@perdure/core/world";
import type { Random } from "@perdure/simulator/cluster";
import { pause } from "@perdure/simulator/cluster";
import { LawBroken } from "./failure.ts";
import type { Arguments } from "./kinds/kind.ts";
import { TERMINATED } from "./kinds/payloads.ts";
import { REPLACED } from "./kinds/start-key.ts";
import type { CollectNode } from "./program.ts";
import { type Stage, untilAnswered } from "./stage.ts";
import { abandoned, simulated } from "./workflow.ts";

/**
 * What clients do with runs that no program starts: payloads that start their run, a run that nobody executes, and runs of one key that
 * replace each other.
 */

const SENDERS = 3;
/** Payloads of each sender. */
const SENT = 5;

/** Several send to a token from several processes; whoever finds no run that has it starts one. */
export async function sendOrStart(stage: Stage, token: string, random: Random): Promise<void> {
  const { cluster, delivered } = stage;
  const takes = random.int(2, 5);
  const root: CollectNode = {
    type: "collect",
    token,
    takes,
    quiet: random.pick([300, 2000, 8000]),
    heard: [],
  };
  const args: Arguments = [`collects ${token}`, root, {}];
  const sender = async (name: number): Promise<void> => {
    for (let n = 0; n < SENT; n++) {
      await pause(cluster.driver, random.pick([0, 0, random.int(0, 4000)]));
      const payload = `${name}#${n}`;
      await untilAnswered(stage, ({ client }) =>
        client.resumeHook(token, payload, { orStart: [simulated, args], idempotencyKey: payload }),
      );
      delivered.add(`hook:${token} ${payload}`);
    }
  };
  const senders = Array.from({ length: SENDERS }, (_, name) => sender(name));
  await Promise.all([...senders, ...(stage.cancels ? [endHolder(stage, token, random)] : [])]);
}

/** Ends the run that has the token, once, in some way. */
async function endHolder(stage: Stage, token: string, random: Random): Promise<void> {
  const { cluster, store } = stage;
  await pause(cluster.driver, random.int(0, 8000));
  const mode = random.pick(["graceful", "terminate", null] as const);
  const holder = store.state.names.get(`hook:${token}`, cluster.driver.clock.now());
  if (holder === null || mode === null) return;
  const reason = mode === "terminate" ? TERMINATED : "simulated";
  await untilAnswered(stage, ({ client }) =>
    client
      .getRun(holder.runId)
      .cancel({ mode, reason })
      .then(() => true),
  );
}

/** Starts a run that no worker executes, and ends it from two processes. */
export async function abandon(stage: Stage, random: Random): Promise<void> {
  const { cluster, store } = stage;
  const options = { idempotencyKey: "abandoned", hook: { token: "abandoned" } };
  await pause(cluster.driver, random.int(0, 3000));
  const runId = await untilAnswered(
    stage,
    async ({ client }) => (await client.start(abandoned, [], options)).runId,
  );
  const end = (): Promise<true> =>
    untilAnswered(stage, ({ client }) =>
      client
        .getRun(runId)
        .cancel({ mode: "terminate", reason: TERMINATED })
        .then(() => true as const),
    );
  await pause(cluster.driver, random.int(0, 3000));
  const late = cluster.driver.clock.now() + TERMINATES_WITHIN;
  let ended = false;
  await Promise.race([
    Promise.all([end(), end()]).then(() => {
      ended = true;
    }),
    pause(cluster.driver, TERMINATES_WITHIN),
  ]);
  const status = store.state.runs.get(runId)?.row.status ?? "pending";
  if (!ended || !isTerminal(status)) {
    throw new LawBroken("terminated runs end", `it is ${status} at ${late}`, runId);
  }
  if (store.state.names.get("hook:abandoned", cluster.driver.clock.now()) === null) return;
  throw new LawBroken("terminated runs end", "it still has its token", runId);
}

/** Several start a run with one key, each in place of the one before. */
export async function replaceOneAnother(stage: Stage, random: Random): Promise<void> {
  const { cluster, store } = stage;
  const args: Arguments = [REPLACED, { type: "sequence", nodes: [{ type: "sleep", ms: 6_000 }] }, {}];
  const options = { idempotencyKey: REPLACED, onConflict: "replace" } as const;
  const replace = async (): Promise<void> => {
    await pause(cluster.driver, random.int(0, 5_000));
    const runId = await untilAnswered(
      stage,
      async ({ client }) => (await client.start(simulated, args, options)).runId,
    );
    const key = store.state.runs.get(runId)?.row.idempotencyKey;
    if (key !== REPLACED)
      throw new LawBroken("client answers", `a start gave a run with the key ${key}`, runId);
  };
  await Promise.all([replace(), replace(), replace()]);
}

/** Longer than the faults and the leases of a cluster, in ms. */
const TERMINATES_WITHIN = 180_000;
