import { refuseSealed } from "../encryption/sealed-bytes.ts";
import { HookConflictError, WorkflowRunNotFoundError, WorkflowRuntimeError } from "../errors/index.ts";
import { inheritedStartClaim, singletonClaim, startName, successorName } from "../names.ts";
import type {
  CreateRun,
  CreateRunResult,
  FirstClaim,
  JournalEvent,
  NewEvent,
  RunRecord,
  World,
} from "../world/index.ts";
import { entityKey, idOf, type Origin } from "./identity.ts";
import { type Headers, headersGiven } from "./kinds/headers.ts";
import { namesOf, offersOf, roleOf, rowOf } from "./kinds/index.ts";
import type { EventRole, RequestRole } from "./kinds/kind.ts";
import { unreleased } from "./kinds/lock.ts";
import { originOf, runCreated, runForked } from "./kinds/run.ts";
import { recordedLater } from "./kinds/step.ts";
import { SINGLETON } from "./singleton.ts";
import { isWebhookId } from "./webhook.ts";

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

/** A fork, as it was asked for: arguments are encoded in the call that passes them. */
export interface ForkRequest {
  readonly fromStep: string;
  /** In place of the arguments of the run; `null`: those. */
  readonly args: { readonly value: Uint8Array | null } | null;
}

/** What a new run is made by. */
export interface ForkTerms {
  readonly world: Pick<World, "getNames" | "listEvents">;
  readonly runId: string;
  readonly now: number;
  /** What travels with the new run. */
  readonly headers: Headers;
  readonly create: (request: CreateRun) => Promise<CreateRunResult>;
}

const PAGE = 1_000;

/**
 * Goes on for a failed run: with the journal up to the step that failed, the start key, the attributes, and the tokens that are
 * free. Two retries at once make one run; its id.
 */
export async function retryRun(old: RunRecord, keys: "keep" | "new", terms: ForkTerms): Promise<string> {
  const { world, now } = terms;
  const journal = await wholeJournal(world, old);
  const failed = journal.findLastIndex(({ type }) => isFailure(roleOf(type)));
  const end = failed >= 0 ? failed : journal.findIndex(({ type }) => isOver(roleOf(type)));
  const step = failed >= 0 ? (journal[failed]?.id ?? null) : null;
  const prefix = journal.slice(0, end).filter(({ type, id }) => id !== step || !isOfAttempt(roleOf(type)));
  const names: FirstClaim[] = [{ ...FOR_EVER, name: successorName(old.runId), id: "successor", from: null }];
  if (old.idempotencyKey !== null) {
    const { workflow, idempotencyKey, runId } = old;
    const [held] = await world.getNames([startName(workflow, idempotencyKey)], now);
    // A key whose time is over belongs to nobody; one that another start has since refuses the retry.
    if (held) names.push(inheritedStartClaim(workflow, idempotencyKey, held, runId));
  }
  return await create(old, journal, prefix, {
    ...terms,
    names,
    renewed: keys === "new" ? step : null,
    again: step,
    args: null,
  });
}

const FOR_EVER = { fingerprint: null, data: null, keepFor: null, freeAt: 0 };

/** Makes a run that does what the other one did before a step, and goes on by itself; its id. */
export async function forkRun(
  old: RunRecord,
  { fromStep, args }: ForkRequest,
  terms: ForkTerms,
): Promise<string> {
  const journal = await wholeJournal(terms.world, old);
  const end = journal.findIndex(({ type, id }) => id === fromStep && countedAs(roleOf(type))?.as === "step");
  if (end < 0) {
    throw new WorkflowRuntimeError(
      `fork({ fromStep }): the journal of run "${old.runId}" has no step ${JSON.stringify(fromStep)}. Take the id of a ` +
        "step_created event of run.events().",
    );
  }
  return await create(old, journal, journal.slice(0, end), {
    ...terms,
    names: [],
    renewed: null,
    again: null,
    args,
  });
}

interface Making extends ForkTerms, Pick<ForkRequest, "args"> {
  readonly names: readonly FirstClaim[];
  /** The step that gets an id of the new run. */
  readonly renewed: string | null;
  /** The step that failed. */
  readonly again: string | null;
}

async function create(
  old: RunRecord,
  journal: readonly JournalEvent[],
  prefix: readonly JournalEvent[],
  making: Making,
): Promise<string> {
  const { runId, now } = making;
  const [created, ...others] = prefix;
  // What the old run has not read it sends on: to this run, where it has the hook, unless another has it by then.
  const offers = offersOf(old.runId, journal);
  const offered = new Set(offers.map(({ event }) => event));
  const kept = others.filter((event) => !isOwn(roleOf(event.type)) && !offered.has(event));
  const counts: Record<string, number> = {};
  const renewed: string[] = [];
  const events: NewEvent[] = [];
  const self = { runId, generation: 0 };
  for (const { seq: _, ...event } of kept) {
    const counted = countedAs(roleOf(event.type));
    if (counted === undefined) {
      events.push(event);
      continue;
    }
    const { as, byName } = counted;
    const kind = event.id !== null && isWebhookId(event.id) ? "webhook" : as;
    const name = byName ? (event.name ?? "") : "";
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
  const untilNow = (until: number): number => 2 + kept.filter(({ seq }) => seq <= until).length;
  const earlier = originOf(others);
  const origin: Origin = {
    runId: old.runId,
    generation: old.generation,
    until: 2 + kept.length,
    counts,
    renewed,
    again:
      making.again === null ? null : (events[kept.findIndex(({ id }) => id === making.again)]?.id ?? null),
    origin: earlier === null ? null : moved(earlier, untilNow),
  };
  const args = making.args === null ? (created?.data ?? null) : making.args.value;
  const row = rowOf(events, old);
  const { [SINGLETON]: singletonKey } = row.attributes;
  const singleton = singletonKey === undefined ? [] : [singletonClaim(old.workflow, singletonKey)];
  // The run has none of the locks of the other one: it gets them again before any step.
  const lost: NewEvent[] =
    unreleased(events).size === 0 ? [] : [{ type: "locks_lost", at: now, id: null, name: null, data: null }];
  const recorded = recordedLater(prefix, journal.slice(journal.indexOf(prefix.at(-1) as JournalEvent) + 1));
  const forked = runForked(origin, created?.at ?? now);
  const names = namesOf(events);
  const live = new Set(names.map(({ id }) => id));
  const request: CreateRun = {
    runId,
    workflow: old.workflow,
    queue: old.workflow,
    ...row,
    idempotencyKey: making.names.some(({ id }) => id === "start") ? old.idempotencyKey : null,
    events: [
      { ...runCreated(old.workflow, args, now) },
      forked,
      ...events,
      ...recorded,
      ...lost,
      ...headersGiven(making.headers, now),
    ],
    names: [...making.names, ...singleton, ...names],
    mail: offers.flatMap(({ mail }) => (live.has(mail.id) ? [mail] : [])),
    dueAt: now,
    lease: null,
  };
  const result = await createWithMail(request, making.create);
  if (result.outcome !== "held") return runId;
  const { name, runId: holder } = result.name;
  if (name === successorName(old.runId)) return holder;
  if (name.startsWith("hook:")) throw new HookConflictError(name.slice("hook:".length), holder);
  if (name.startsWith("singleton:")) {
    throw new WorkflowRuntimeError(
      `Run "${old.runId}" cannot go on: run "${holder}" is under way, and the workflow's singleton lets it have no second one ` +
        "beside it. Wait for its end, or cancel it.",
    );
  }
  throw new WorkflowRuntimeError(
    `Run "${old.runId}" cannot go on: its idempotencyKey belongs to run "${holder}" by now. Look at that run.`,
  );
}

/** Makes the run with those of its messages that no other run has. */
async function createWithMail(request: CreateRun, create: ForkTerms["create"]): Promise<CreateRunResult> {
  const result = await create(request);
  if (result.outcome !== "mailed") return result;
  const mail = request.mail.filter(({ messageId }) => messageId !== result.messageId);
  return await createWithMail({ ...request, mail }, create);
}

function isFailure(role: EventRole): boolean {
  return role.role === "delivery" && role.failure === true;
}

/** The run had ended by then. */
function isOver({ role }: EventRole): boolean {
  return role === "last" || role === "end";
}

function isOfAttempt(role: EventRole): boolean {
  return role.role === "note" && role.ofAttempt === true;
}

function isOwn(role: EventRole): boolean {
  return role.role === "note" && role.own === true;
}

function countedAs(role: EventRole): RequestRole["counted"] {
  return role.role === "request" ? role.counted : undefined;
}

/** An origin whose events stand elsewhere in the new journal. */
function moved(origin: Origin, until: (before: number) => number): Origin {
  const inner = origin.origin === null ? null : moved(origin.origin, until);
  return { ...origin, until: until(origin.until), origin: inner };
}

async function wholeJournal(
  world: Pick<World, "listEvents">,
  { runId, firstSeq, seq }: RunRecord,
): Promise<readonly JournalEvent[]> {
  const events: JournalEvent[] = [];
  for (let last = firstSeq - 1; last < seq; last = events.at(-1)?.seq ?? seq) {
    const page = await world.listEvents(runId, last, PAGE);
    if (page.length === 0) throw new WorkflowRunNotFoundError(runId);
    refuseSealed(page);
    events.push(...page);
  }
  return events;
}
