import { createHook } from "@perdure/core";
import type { MemoryRun } from "@perdure/core/testing";
import type { JournalEvent } from "@perdure/core/world";
import { LawBroken } from "../failure.ts";
import { type RunFold, sameBytes, valueIn } from "../fold.ts";
import { type HookSpec, hooksOf } from "../program.ts";
import { slot } from "../slot.ts";
import type { Ended, HookNode, Kind, Maker, NodeKinds, StoreView, Value, Write } from "./kind.ts";
import { THROWS, UNKNOWN } from "./outcomes.ts";
import { payloadIn } from "./payload.ts";
import { newStep } from "./step.ts";
import { steps } from "./step-body.ts";

/** Hooks with tokens of their own. What becomes of each payload is in `payloads.ts`. */

export const hookNodes: NodeKinds<"hook"> = {
  hook: {
    execute: async ({ hook }) => await receive(hook),
    gives: ({ hook }) => (hook.confirmed === null ? [UNKNOWN] : [UNKNOWN, THROWS]),
  },
};

async function receive({ token, takes, how, confirmed }: HookSpec): Promise<Value> {
  const hook = createHook<string>({ token, metadata: { takes } });
  if (confirmed !== null) {
    await hook.getConflict();
    await steps[confirmed.kind](confirmed);
  }
  const values: string[] = [];
  if (how === "iterate") {
    for await (const value of hook) {
      values.push(value);
      if (values.length === takes) break;
    }
  } else {
    while (values.length < takes) values.push(await hook);
  }
  if (how === "dispose") hook.dispose();
  return values;
}

export function newHook(maker: Maker): HookNode {
  const { random } = maker;
  const takes = random.int(1, 4);
  return {
    type: "hook",
    hook: {
      token: `${maker.name}/hook${maker.count()}`,
      takes,
      sent: takes + random.pick([0, 0, 1]),
      senders: random.int(1, 2),
      how: random.pick(["await", "iterate", "dispose"] as const),
      confirmed: random.chance(0.4) ? newStep(maker) : null,
    },
  };
}

/** The hooks of a run, as its journal has them. */
export interface Hooks {
  /** Live ones with their tokens. */
  readonly live: Map<string, string>;
  /** The tokens of all that it ever had. */
  readonly tokens: Map<string, string>;
  /** How many payloads each got, over all generations. */
  readonly received: Map<string, number>;
  /** How many payloads of each it has from the run for which it goes on. */
  readonly inherited: Map<string, number>;
  /** How many of a hook's last payloads the code has not taken, as it said at its end. */
  left: Readonly<Record<string, number>>;
  /** Those of the generation before that were live, by token. */
  kept: ReadonlyMap<string, string>;
}

export const hooksIn: (fold: RunFold) => Hooks = slot(() => ({
  live: new Map(),
  tokens: new Map(),
  received: new Map(),
  inherited: new Map(),
  left: {},
  kept: new Map(),
}));

export const hookKind: Kind = {
  events: {
    run_started: {
      read(fold, event) {
        const { kept, live } = hooksIn(fold);
        if (kept.size > 0 && live.size < kept.size) fold.refuse(event, "a hook is not kept");
      },
    },
    hook_created: {
      givesId: true,
      read(fold, event) {
        const [id, { live, tokens, received }] = [event.id ?? "", hooksIn(fold)];
        live.set(id, event.name ?? "");
        tokens.set(id, event.name ?? "");
        received.set(id, 0);
      },
    },
    hook_conflict: { givesId: true },
    hook_held: { read: hold },
    hook_left: {
      read(fold, event) {
        const [id, { tokens }] = [event.id ?? "", hooksIn(fold)];
        if (fold.begun || (!fold.inheriting && !tokens.has(id)))
          fold.refuse(event, "the run never had the hook");
        tokens.set(id, event.name ?? "");
      },
    },
    hook_again: {
      after: true,
      read(fold, event) {
        fold.ofAnother(event);
        hooksIn(fold).tokens.set(event.id ?? "", event.name ?? "");
      },
    },
    hook_adopted: {
      read(fold, event) {
        if (!hooksIn(fold).live.has(event.id ?? "")) fold.refuse(event, "the run does not have the hook");
      },
    },
    payload_kept: {
      left: true,
      read(fold, event) {
        if (!hooksIn(fold).tokens.has(event.id ?? "") || fold.begun)
          fold.refuse(event, "the run never had the hook");
      },
    },
    hook_received: {
      left: true,
      read(fold, event) {
        const [id, { tokens, received }] = [event.id ?? "", hooksIn(fold)];
        if (!tokens.has(id)) fold.refuse(event, "the hook never had a token");
        received.set(id, (received.get(id) ?? 0) + 1);
      },
    },
    hook_disposed: {
      read(fold, event) {
        const [id, { tokens, live }] = [event.id ?? "", hooksIn(fold)];
        if (!fold.isGiven(id) && !tokens.has(id)) fold.refuse(event, "there is no such hook");
        live.delete(id);
      },
    },
    payloads_left: {
      read(fold, event) {
        hooksIn(fold).left = valueIn<Record<string, number>>(event);
        fold.ending = true;
      },
    },
    run_completed: { read: end },
    run_failed: { read: end },
    run_cancelled: { read: end },
  },
  anew(fold) {
    const hooks = hooksIn(fold);
    hooks.kept = new Map([...hooks.live].map(([id, token]) => [token, id]));
    hooks.live.clear();
  },
  inherited(fold) {
    const { received, inherited } = hooksIn(fold);
    for (const [id, count] of received) inherited.set(id, count);
  },
  laws: {
    written: checkRead,
    stored: checkTokens,
    ended: checkPayloads,
    owes: (_, fold) =>
      Object.keys(hooksIn(fold).left).length > 0 ? "it has payloads that nobody has taken" : null,
  },
};

/** A hook that the run has from its start, or from the generation before. */
function hold(fold: RunFold, event: JournalEvent): void {
  const [id, token] = [event.id ?? "", event.name ?? ""];
  const { live, tokens, received, kept } = hooksIn(fold);
  fold.beforeBegin(event);
  if (fold.generation > 0 && kept.get(token) !== id) fold.refuse(event, "it was not live before");
  live.set(id, token);
  tokens.set(id, token);
  if (!received.has(id)) received.set(id, 0);
}

function end(fold: RunFold): void {
  hooksIn(fold).live.clear();
}

/** Messages that are consumed are told, in order; what comes after the end is not told any more. */
function checkRead(_: unknown, { fold, row, fresh, consumed, before }: Write): void {
  const { tokens } = hooksIn(fold);
  const hears = tokens.size > 0 && (fresh.length > 0 || !fold.terminal);
  const owed = hears ? consumed.filter(({ id }) => before.has(id ?? "") && tokens.has(id ?? "")) : [];
  const got = fresh.filter(({ type, id }) => type === "hook_received" && before.has(id ?? ""));
  const isTold =
    owed.length === got.length &&
    owed.every(({ id, data }, index) => got[index]?.id === id && sameBytes(data, got[index].data));
  if (isTold) return;
  throw new LawBroken(
    "mail is read once and in order",
    `messages up to ${row.mailDone} are consumed, ${owed.length} of them for what is live; the journal got ${got.length}`,
    row.runId,
  );
}

/** A run has the tokens of its live hooks, and no others. */
function checkTokens({ state }: StoreView, { row, names }: MemoryRun, fold: RunFold, now: number): void {
  const { live } = hooksIn(fold);
  const held = (name: string) => state.names.get(name, now);
  for (const [hookId, token] of live) {
    const holder = held(`hook:${token}`);
    if (holder?.id !== hookId || holder.runId !== row.runId) {
      throw new LawBroken(
        "tokens are unique",
        `the journal says that hook ${hookId} is live, but its token ${token} is ${holder?.id ?? "free"}`,
        row.runId,
      );
    }
  }
  const hooks = [...names].filter(([, name]) => name.startsWith("hook:") && held(name)?.runId === row.runId);
  if (hooks.length !== live.size) {
    throw new LawBroken("tokens are unique", "the run holds tokens of hooks that are gone", row.runId);
  }
}

/**
 * No payload twice, those of one sender in order, and no more of them than were sent: a run that goes on for another is sent as many
 * again, and what that one has left comes in any order.
 */
function checkPayloads({ root, row, journal, fold }: Ended): void {
  const goesOn = fold.forkOf !== null;
  const tokens = new Map(
    journal.flatMap(({ type, id, name }) =>
      type === "hook_created" || type === "hook_held" || type === "hook_again" ? [[id, name] as const] : [],
    ),
  );
  for (const { token, takes, sent } of hooksOf(root)) {
    const received = journal
      .filter(({ type, id }) => type === "hook_received" && tokens.get(id) === token)
      .map((event) => payloadIn(event) ?? "");
    const broken = (): never => {
      const what = `${token} received ${received.join(" ")}`;
      throw new LawBroken("mail is read once and in order", what, row.runId);
    };
    if (goesOn && new Set(received).size < received.length) broken();
    const last = new Map<string, number>();
    for (const payload of received) {
      const [sender = "", n = ""] = payload.split("#");
      if (!goesOn && Number(n) <= (last.get(sender) ?? -1)) broken();
      last.set(sender, Number(n));
    }
    if (received.length > (goesOn ? 2 : 1) * sent) throw new Error(`${token} received more than was sent`);
    if (row.status === "completed" && takes > sent) throw new Error(`${token} takes more than is sent`);
  }
}
