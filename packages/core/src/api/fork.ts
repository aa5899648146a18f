import { HookConflictError, WorkflowRunNotFoundError, WorkflowRuntimeError } from "../errors/index.ts";
import type { EntityKind } from "../ids.ts";
import { entityKey, idOf, type Origin } from "../interpreter/identity.ts";
import { attributesGiven } from "../interpreter/kinds/attributes.ts";
import { runCreated } from "../interpreter/kinds/run.ts";
import { isWebhookId } from "../interpreter/webhook.ts";
import { hookClaim, startName, successorName } from "../names.ts";
import { decode, encode } from "../serialization/index.ts";
import type {
  CreateRun,
  CreateRunResult,
  FirstClaim,
  JournalEvent,
  NewEvent,
  RunRecord,
  World,
} from "../world/index.ts";

/** Runs that go on from where another one was: a retry of one that failed, and a fork from any step. */

/** What a retry does with the id of the step that failed. */
export interface RetryOptions {
  /**
   * `"keep"`: the step that failed keeps its `stepId`, so that what did arrive at the other side is not done again. `"new"`: it
   * gets another one, where the other side does not take the old one any more. Default `"keep"`.
   */
  readonly keys?: "keep" | "new";
}

/** Where a fork begins. */
export interface ForkOptions {
  /** The `stepId` of the first step that is executed again; see {@link Run.events}. */
  readonly fromStep: string;
  /** Other arguments for the workflow. Default: those of the run. */
  readonly args?: unknown[];
}

/** What a new run is made by. */
export interface ForkTerms {
  readonly world: World;
  readonly runId: string;
  readonly now: number;
  readonly create: (request: CreateRun) => Promise<CreateRunResult>;
}

const PAGE = 1_000;

/** The requests of a workflow whose ids are counted, by the type of their event. */
const COUNTED: Readonly<Record<string, EntityKind>> = {
  step_created: "step",
  system_step_created: "sys",
  wait_created: "wait",
  hook_created: "hook",
  hook_conflict: "hook",
  state_set: "state",
  attributes_set: "attributes",
};

function kindOf({ type, id }: NewEvent): EntityKind | undefined {
  const kind = COUNTED[type];
  return kind === "hook" && id !== null && isWebhookId(id) ? "webhook" : kind;
}

/** Only steps have names of their own there. */
const NAMED = new Set<EntityKind>(["step", "sys"]);

/**
 * Goes on for a failed run: with the journal up to the step that failed, the start key, the attributes, and the tokens that are
 * free. Two retries at once make one run; its id.
 */
export async function retryRun(old: RunRecord, keys: "keep" | "new", terms: ForkTerms): Promise<string> {
  const { world, now } = terms;
  const journal = await wholeJournal(world, old);
  const failed = journal.findLastIndex(({ type }) => type === "step_failed" || type === "system_step_failed");
  const end =
    failed >= 0 ? failed : journal.findIndex(({ type }) => type === "payloads_left" || type === "run_failed");
  const step = failed >= 0 ? (journal[failed]?.id ?? null) : null;
  const prefix = journal.slice(0, end).filter(({ type, id }) => type !== "step_retrying" || id !== step);
  const names: FirstClaim[] = [{ ...FOR_EVER, name: successorName(old.runId), id: "successor", from: null }];
  if (old.idempotencyKey !== null) {
    const name = startName(old.workflow, old.idempotencyKey);
    const [held] = await world.getNames([name], now);
    const { fingerprint = null } = held ?? {};
    names.push({ ...FOR_EVER, name, id: "start", fingerprint, from: old.runId });
  }
  return await create(old, prefix, { ...terms, names, renewed: keys === "new" ? step : null, args: null });
}

const FOR_EVER = { fingerprint: null, data: null, keepFor: null, freeAt: 0 };

/** Makes a run that does what the other one did before a step, and goes on by itself; its id. */
export async function forkRun(
  old: RunRecord,
  { fromStep, args }: ForkOptions,
  terms: ForkTerms,
): Promise<string> {
  const journal = await wholeJournal(terms.world, old);
  const end = journal.findIndex(({ type, id }) => type === "step_created" && id === fromStep);
  if (end < 0) {
    throw new WorkflowRuntimeError(
      `fork({ fromStep }): the journal of run "${old.runId}" has no step ${JSON.stringify(fromStep)}. Take the id of a ` +
        "step_created event of run.events().",
    );
  }
  const encoded = args === undefined ? null : { value: encode(args, "args") };
  return await create(old, journal.slice(0, end), { ...terms, names: [], renewed: null, args: encoded });
}

interface Making extends ForkTerms {
  readonly names: readonly FirstClaim[];
  /** The step that gets an id of the new run. */
  readonly renewed: string | null;
  /** In place of the arguments of the run. */
  readonly args: { readonly value: Uint8Array | null } | null;
}

async function create(old: RunRecord, prefix: readonly JournalEvent[], making: Making): Promise<string> {
  const { runId, now } = making;
  const [created, ...others] = prefix;
  const earlier = others.find(({ type }) => type === "run_forked");
  const kept = others.filter(({ type }) => type !== "run_forked" && type !== "attributes_given");
  const before = others.some(({ type }) => type === "attributes_given") ? 1 : 0;
  const given = attributesGiven(old.attributes, created?.at ?? now);
  const counts: Record<string, number> = {};
  const renewed: string[] = [];
  const events: NewEvent[] = [];
  const self = { runId, generation: 0 };
  for (const { seq: _, ...event } of kept) {
    const kind = kindOf(event);
    if (kind === undefined) {
      events.push(event);
      continue;
    }
    const name = NAMED.has(kind) ? (event.name ?? "") : "";
    const key = entityKey(kind, name);
    const count = (counts[key] ?? 0) + 1;
    counts[key] = count;
    if (event.id !== making.renewed || event.id === null) {
      events.push(event);
    } else {
      renewed.push(`${key}\0${count}`);
      events.push({ ...event, id: idOf(kind, name, count, self, null) });
    }
  }
  // The places of the events move by those that stand before them now.
  const shift = 1 + given.length - before - (earlier === undefined ? 0 : 1);
  const inherited = earlier === undefined ? null : moved(decode(earlier.data) as Origin, shift);
  const origin: Origin = {
    runId: old.runId,
    generation: old.generation,
    until: 2 + given.length + kept.length,
    counts,
    renewed,
    origin: inherited,
  };
  const args = making.args === null ? (created?.data ?? null) : making.args.value;
  const at = created?.at ?? now;
  const forked: NewEvent = {
    type: "run_forked",
    at,
    id: old.runId,
    name: null,
    data: encode(origin, "origin"),
  };
  const request: CreateRun = {
    runId,
    workflow: old.workflow,
    queue: old.workflow,
    attributes: old.attributes,
    state: old.state,
    idempotencyKey: making.names.some(({ id }) => id === "start") ? old.idempotencyKey : null,
    events: [{ ...runCreated(old.workflow, args, now) }, forked, ...given, ...events],
    names: [...making.names, ...tokensOf(events)],
    mail: [],
    dueAt: now,
    lease: null,
  };
  const result = await making.create(request);
  if (result.outcome !== "held") return runId;
  const { name, runId: holder } = result.name;
  if (name === successorName(old.runId)) return holder;
  if (name.startsWith("hook:")) throw new HookConflictError(name.slice("hook:".length), holder);
  throw new WorkflowRuntimeError(
    `Run "${old.runId}" cannot go on: its idempotencyKey belongs to run "${holder}" by now. Look at that run.`,
  );
}

/** An origin whose events stand elsewhere in the new journal. */
function moved(origin: Origin, shift: number): Origin {
  const inner = origin.origin === null ? null : moved(origin.origin, shift);
  return { ...origin, until: origin.until + shift, origin: inner };
}

/** The tokens of the hooks that live at the end of these events. */
function tokensOf(events: readonly NewEvent[]): FirstClaim[] {
  const live = new Map<string, FirstClaim>();
  for (const { type, id, name, data } of events) {
    if (id === null) continue;
    if (name !== null && (type === "hook_created" || type === "hook_held")) {
      live.set(id, { ...hookClaim(name, id, data), from: null });
    }
    if (type === "hook_disposed") live.delete(id);
  }
  return [...live.values()];
}

async function wholeJournal(
  world: World,
  { runId, firstSeq, seq }: RunRecord,
): Promise<readonly JournalEvent[]> {
  const events: JournalEvent[] = [];
  for (let last = firstSeq - 1; last < seq; last = events.at(-1)?.seq ?? seq) {
    const page = await world.listEvents(runId, last, PAGE);
    if (page.length === 0) throw new WorkflowRunNotFoundError(runId);
    events.push(...page);
  }
  return events;
}
